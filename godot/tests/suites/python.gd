extends "res://tests/suite.gd"
## A client in another language: it finds the server by its beacon and has its messages echoed.


func before() -> void:
	await started()
	WebSocketServer.instance.model_data_received.connect(_echo)


func after() -> void:
	WebSocketServer.instance.model_data_received.disconnect(_echo)


func _echo(data: String) -> void:
	WebSocketServer.send_to_all(data)


func test_a_python_program_finds_and_uses_the_server() -> void:
	if arguments.python.is_empty():
		skipped = "there is no Python"
		return
	# The program listens on the discovery port, which the server must not have first.
	WebSocketServer.stop_server()
	var listening := ProjectSettings.globalize_path("res://.godot/listening")
	DirAccess.remove_absolute(listening)
	await python("peer.py", [listening], func():
		await until(func(): return FileAccess.file_exists(listening), "the program listens", 30.0)
		await started())
