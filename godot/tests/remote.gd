extends SceneTree
## Runs the remote control of the demo as a separate program: selects the first server in the list, steers to the right
## until the party reports a star, jumps, and waits until the party has stopped and is back. The exit code is 0 if all of it
## happened.

## Seconds for each step.
const TEST_TIMEOUT := 20.0


func _initialize() -> void:
	await process_frame
	change_scene_to_file("res://demo/remote.tscn")
	await scene_changed if has_signal(&"scene_changed") else await create_timer(0.1).timeout
	quit(0 if await _play() else 1)


func _play() -> bool:
	var servers: ItemList = current_scene.get_node("Left/Servers")
	var messages: RichTextLabel = current_scene.get_node("Left/Messages")
	if not await _until(func(): return servers.item_count > 0, "a server is in the list"):
		return false
	servers.select(0)
	servers.item_selected.emit(0)
	if not await _until(_shows.bind("Connected"), "the remote connects"):
		return false
	var codes: Array[int] = []
	# Recorded, because the remote may be connected again before the next frame shows that it was not.
	current_scene._client.disconnected.connect(func(code: int, _reason: String, _retry_in: float): codes.append(code))
	Input.action_press(&"ui_right")
	if not await _until(func(): return messages.get_parsed_text().contains("★"), "the party reports the star"):
		return false
	Input.action_release(&"ui_right")
	current_scene.get_node("Jump").pressed.emit()
	if not await _until(func(): return 1001 in codes, "the party stops"):
		return false
	return await _until(_shows.bind("Connected"), "the remote reconnects")


func _shows(text: String) -> bool:
	return current_scene.get_node("Left/State").text.contains(text)


func _until(condition: Callable, what: String) -> bool:
	var deadline := Time.get_ticks_msec() + int(TEST_TIMEOUT * 1000)
	while not condition.call():
		if Time.get_ticks_msec() > deadline:
			printerr("remote: timeout: %s; it shows: %s" % [what, current_scene.get_node("Left/State").text])
			return false
		await process_frame
	return true
