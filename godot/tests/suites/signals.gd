extends "res://tests/suite.gd"
## connect_to_signal() accepts a Callable, String or StringName, ignores repetitions, and disconnects freed receivers.


class Receiver extends Node:
	var received: Array[String] = []

	func receive(data: String) -> void:
		received.append(data)


func _receiver() -> Receiver:
	var receiver := Receiver.new()
	add_child(receiver)
	return receiver


func _connections() -> int:
	return WebSocketServer.instance.get_signal_connection_list("model_data_received").size()


func test_callable_string_and_string_name_connect() -> void:
	var receivers: Array[Receiver] = [_receiver(), _receiver(), _receiver()]
	WebSocketServer.connect_to_signal(receivers[0], receivers[0].receive)
	WebSocketServer.connect_to_signal(receivers[1], "receive")
	WebSocketServer.connect_to_signal(receivers[2], &"receive")
	var client := await connected_client()
	client.send("one")
	client.send("two")
	for receiver in receivers:
		await until(func(): return receiver.received.size() == 2, "both messages arrive")
		equal(receiver.received, ["one", "two"] as Array[String], "received messages")


func test_connecting_twice_has_no_effect() -> void:
	var receiver := _receiver()
	for method: Variant in [receiver.receive, "receive", &"receive", receiver.receive]:
		equal(int(WebSocketServer.connect_to_signal(receiver, method)), OK, "connecting by %s" % [method])
	var client := await connected_client()
	client.send("once")
	await until(func(): return not receiver.received.is_empty(), "the message arrives")
	await seconds(0.2)
	equal(receiver.received, ["once"] as Array[String], "received messages")


func test_a_freed_receiver_is_disconnected() -> void:
	var count := _connections()
	var receiver := _receiver()
	WebSocketServer.connect_to_signal(receiver, receiver.receive)
	equal(_connections(), count + 1, "connections")
	receiver.free()
	equal(_connections(), count, "connections after the receiver was freed")
	var other := _receiver()
	WebSocketServer.connect_to_signal(other, "receive")
	var client := await connected_client()
	client.send("still working")
	await until(func(): return other.received == (["still working"] as Array[String]), "another receiver gets the message")
