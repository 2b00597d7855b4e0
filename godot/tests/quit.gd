extends SceneTree
## Quits the game while messages arrive. The program that started it checks how it ends.

const FLOODS := 3

var _received := 0


func _initialize() -> void:
	var python := ""
	for argument in OS.get_cmdline_user_args():
		python = argument.trim_prefix("python=")
	await process_frame
	OS.set_environment("HALLOO_BENCH_OUTPUT", "/dev/null")
	var server := root.get_node("WebSocketServer")
	server.model_data_received.connect(_on_data)
	for i in FLOODS:
		OS.create_process(python, [ProjectSettings.globalize_path("res://bench/load.py"), "flood", "8765", "60", "30"])


func _on_data(data: String) -> void:
	_received += 1
	root.get_node("WebSocketServer").send_to_all(data)
	if _received == 5000:
		print("quitting")
		quit()
