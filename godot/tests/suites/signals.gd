extends "res://tests/suite.gd"
## connect_to_signal(): by Callable, String or StringName, harmless when repeated, undone when the receiver is gone.


class Receiver extends Node:
	var heard: Array[String] = []

	func hear(data: String) -> void:
		heard.append(data)


func _receiver() -> Receiver:
	var receiver := Receiver.new()
	add_child(receiver)
	return receiver


func _connections() -> int:
	return WebSocketServer.instance.get_signal_connection_list("model_data_received").size()


func test_every_kind_of_method() -> void:
	var receivers: Array[Receiver] = [_receiver(), _receiver(), _receiver()]
	WebSocketServer.connect_to_signal(receivers[0], receivers[0].hear)
	WebSocketServer.connect_to_signal(receivers[1], "hear")
	WebSocketServer.connect_to_signal(receivers[2], &"hear")
	var client := await connected_client()
	client.send("one")
	client.send("two")
	for receiver in receivers:
		await until(func(): return receiver.heard.size() == 2, "it hears both")
		equal(receiver.heard, ["one", "two"] as Array[String], "in order")


func test_twice_is_harmless() -> void:
	var receiver := _receiver()
	for method: Variant in [receiver.hear, "hear", &"hear", receiver.hear]:
		equal(int(WebSocketServer.connect_to_signal(receiver, method)), OK, "connecting by %s" % [method])
	var client := await connected_client()
	client.send("once")
	await until(func(): return not receiver.heard.is_empty(), "it hears")
	await seconds(0.2)
	equal(receiver.heard, ["once"] as Array[String], "only once")


func test_a_freed_receiver_is_disconnected() -> void:
	var before_it := _connections()
	var receiver := _receiver()
	WebSocketServer.connect_to_signal(receiver, receiver.hear)
	equal(_connections(), before_it + 1, "connections")
	receiver.free()
	equal(_connections(), before_it, "connections after it was freed")
	var other := _receiver()
	WebSocketServer.connect_to_signal(other, "hear")
	var client := await connected_client()
	client.send("still working")
	await until(func(): return other.heard == (["still working"] as Array[String]), "another receiver hears")
