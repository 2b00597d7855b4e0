extends "res://tests/suite.gd"
## A client in another language: it finds the server by its beacon and sends messages, which are echoed.


func before() -> void:
	await start_server()
	WebSocketServer.instance.model_data_received.connect(_echo)


func after() -> void:
	WebSocketServer.instance.model_data_received.disconnect(_echo)


func _echo(data: String) -> void:
	WebSocketServer.send_to_all(data)


func test_a_python_program_finds_and_uses_the_server() -> void:
	if arguments.python.is_empty():
		skipped = "Python is missing"
		return
	# The program must bind the discovery port before the server does.
	WebSocketServer.stop_server()
	var listening := ProjectSettings.globalize_path("res://.godot/listening")
	DirAccess.remove_absolute(listening)
	await python("peer.py", [listening], func():
		await until(func(): return FileAccess.file_exists(listening), "the program is listening", 30.0)
		await start_server())
