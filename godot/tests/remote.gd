extends SceneTree
## Is the remote control in the demonstration, as a program of its own: chooses the first server it finds, steers to the
## right until the party tells of a star, jumps, and stays until the party has gone and come back. Ends with 0 when all
## of it happened.

## Seconds for each step.
const PATIENCE := 15.0


func _initialize() -> void:
	await process_frame
	change_scene_to_file("res://demo/remote.tscn")
	await scene_changed if has_signal(&"scene_changed") else await create_timer(0.1).timeout
	quit(0 if await _play() else 1)


func _play() -> bool:
	var servers: ItemList = current_scene.get_node("Left/Servers")
	var heard: RichTextLabel = current_scene.get_node("Left/Heard")
	if not await _until(func(): return servers.item_count > 0, "a server is found"):
		return false
	servers.select(0)
	servers.item_selected.emit(0)
	if not await _until(_says.bind("Connected"), "it connects"):
		return false
	Input.action_press(&"ui_right")
	if not await _until(func(): return heard.get_parsed_text().contains("\"score\":1"), "it hears of the star"):
		return false
	Input.action_release(&"ui_right")
	current_scene.get_node("Jump").pressed.emit()
	return await _until(_says.bind("code 1001"), "the party ends") and await _until(_says.bind("Connected"), "it is back")


func _says(what: String) -> bool:
	return current_scene.get_node("Left/State").text.contains(what)


func _until(condition: Callable, what: String) -> bool:
	var deadline := Time.get_ticks_msec() + int(PATIENCE * 1000)
	while not condition.call():
		if Time.get_ticks_msec() > deadline:
			printerr("remote: in vain: %s; it says: %s" % [what, current_scene.get_node("Left/State").text])
			return false
		await process_frame
	return true
