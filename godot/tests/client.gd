extends Node
## A client of the tests: a [WebSocketPeer] that keeps the messages it receives.

var peer := WebSocketPeer.new()
var received: Array[String] = []


func open(url: String) -> void:
	peer.connect_to_url(url)


func send(text: String) -> void:
	peer.send_text(text)


func close() -> void:
	peer.close()


func is_open() -> bool:
	return peer.get_ready_state() == WebSocketPeer.STATE_OPEN


func is_closed() -> bool:
	return peer.get_ready_state() == WebSocketPeer.STATE_CLOSED


func _process(_delta: float) -> void:
	peer.poll()
	while peer.get_available_packet_count() > 0:
		received.append(peer.get_packet().get_string_from_utf8())
