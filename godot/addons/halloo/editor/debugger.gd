@tool
extends EditorDebuggerPlugin
## Receives the status of the server in the running game, once a second.

signal status_received(status: Dictionary)
signal game_stopped


func _has_capture(capture: String) -> bool:
	return capture == "halloo"


func _capture(message: String, data: Array, _session_id: int) -> bool:
	if message != "halloo:status" or data.size() != 1 or not data[0] is Dictionary:
		return false
	status_received.emit(data[0])
	return true


func _setup_session(session_id: int) -> void:
	get_session(session_id).stopped.connect(game_stopped.emit)
