extends "res://tests/suite.gd"
## The documented usage example works unchanged with a client.


const Readme := preload("res://tests/readme_example.gd")


class Example extends "res://tests/usage_example.gd":
	var handled: Array[String] = []

	func _on_model_data_received(data: String):
		super(data)
		handled.append(data)


func test_usage_example_runs_unchanged() -> void:
	var client := await connected_client()
	var example := Example.new()
	add_child(example)
	client.send("hello from a client")
	await until(func(): return not example.handled.is_empty(), "the example receives the message")
	equal(example.handled, ["hello from a client"] as Array[String], "messages received by the example")
	example.run()
	await until(func(): return not client.received.is_empty(), "the client receives the message")
	equal(client.received, ["Hello from server!"] as Array[String], "messages received by the client")


func test_example_of_the_readme_sends_what_it_received() -> void:
	var client := await connected_client()
	add_child(Readme.new())
	client.send("hello")
	await until(func(): return not client.received.is_empty(), "the client receives the message")
	equal(client.received, ["received hello"] as Array[String], "messages received by the client")


func test_instance_is_the_autoload() -> void:
	equal(WebSocketServer.instance, get_node("/root/WebSocketServer"), "instance")
	check(WebSocketServer.instance.has_signal("model_data_received"), "the autoload has the signal")


func test_the_expected_implementation_is_used() -> void:
	equal(ClassDB.class_exists("HallooServer"), arguments.implementation == "native", "the native class exists")
