extends "res://tests/suite.gd"
## The usage example runs unchanged, with a client at the other end.


class Example extends "res://tests/usage_example.gd":
	var handled: Array[String] = []

	func _on_model_data_received(data: String):
		super(data)
		handled.append(data)


func test_runs_unchanged() -> void:
	var client := await connected_client()
	var example := Example.new()
	add_child(example)
	client.send("hello from a client")
	await until(func(): return not example.handled.is_empty(), "the example hears the client")
	equal(example.handled, ["hello from a client"] as Array[String], "what the example heard")
	example.run()
	await until(func(): return not client.received.is_empty(), "the client hears the example")
	equal(client.received, ["Hello from server!"] as Array[String], "what the client heard")


func test_instance_is_the_autoload() -> void:
	equal(WebSocketServer.instance, get_node("/root/WebSocketServer"), "the singleton")
	check(WebSocketServer.instance.has_signal("model_data_received"), "it has the signal")


func test_implementation_is_the_one_asked_for() -> void:
	equal(ClassDB.class_exists("HallooServer"), arguments.implementation == "native", "the native class is there")
