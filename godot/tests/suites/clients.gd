extends "res://tests/suite.gd"
## Clients have numbers from 1, are counted after their handshake, and are forgotten when they are gone.

var _joined: Array[int] = []
var _left: Array[int] = []
var _codes: Array[int] = []


func before() -> void:
	await started()
	WebSocketServer.instance.client_joined.connect(_on_client_joined)
	WebSocketServer.instance.client_left.connect(_on_client_left)


func _on_client_joined(id: int) -> void:
	_joined.append(id)


func _on_client_left(id: int, code: int, _reason: String) -> void:
	_left.append(id)
	_codes.append(code)


func test_the_first_is_number_one() -> void:
	await connected_client()
	await until(func(): return arguments.has("first_client"), "the first one is told")
	equal(arguments.get("first_client"), 1, "number of the first client of this run")


func test_numbers_are_unique_and_positive() -> void:
	var first := await connected_client()
	await connected_client()
	await until(func(): return _joined.size() == 2, "both are told")
	check(_joined[0] >= 1 and _joined[1] == _joined[0] + 1, "numbers follow each other: %s" % [_joined])
	first.close()
	await until(func(): return _left.size() == 1, "the leaving is told")
	equal(_left, [_joined[0]] as Array[int], "who left")
	equal(_codes, [1000] as Array[int], "its code")
	await connected_client()
	await until(func(): return _joined.size() == 3, "the third is told")
	equal(_joined[2], _joined[1] + 1, "the third has a number of its own")


func test_a_connection_without_handshake_is_no_client() -> void:
	var silent := StreamPeerTCP.new()
	silent.connect_to_host("127.0.0.1", WebSocketServer.get_server_status().server_port)
	await until(func(): silent.poll(); return silent.get_status() == StreamPeerTCP.STATUS_CONNECTED, "TCP connects")
	await seconds(0.3)
	var status: Dictionary = WebSocketServer.get_server_status()
	equal(status.connected_clients, 0, "clients")
	equal(status.discovery_active, true, "announcing")
	await until(func(): silent.poll(); return silent.get_status() != StreamPeerTCP.STATUS_CONNECTED,
			"it is disconnected", 20.0)


func test_one_that_vanishes_is_forgotten() -> void:
	var client := await connected_client()
	# Drops the connection without a close frame.
	client.peer.close(-1)
	await until(func(): return WebSocketServer.get_server_status().connected_clients == 0, "it is no longer counted")
	await until(func(): return _left == _joined, "its leaving is told")
	equal(_codes, [1006] as Array[int], "its code")


func test_many_at_once() -> void:
	var clients: Array[Client] = []
	for i in 50:
		var client := Client.new()
		add_child(client)
		client.open(server_url())
		clients.append(client)
	await until(func(): return WebSocketServer.get_server_status().connected_clients == 50, "all are connected", 20.0)
	WebSocketServer.send_to_all("hello, all")
	for client in clients:
		await until(func(): return client.received == (["hello, all"] as Array[String]), "each receives it")
