extends "res://tests/suite.gd"
## The settings that the editor shows are those that the server reads, and the README names them all.

const Settings := preload("res://addons/halloo/editor/settings.gd")


func before() -> void:
	pass


func _shown() -> Array:
	return (Settings.basic + Settings.advanced).map(func(setting: Array): return setting[0])


func test_each_is_read_by_the_server() -> void:
	var constants: Dictionary = WebSocketServer.instance.get_script().get_script_constant_map()
	if not constants.has("SETTINGS"):
		skipped = "this server reads none"
		return
	var read: Array = Array(constants.SETTINGS) + ["autostart"]
	var shown := _shown()
	read.sort()
	shown.sort()
	equal(shown, read, "what is shown and what is read")


func test_each_is_in_the_readme() -> void:
	var readme := FileAccess.get_file_as_string("res://addons/halloo/README.md")
	for setting: String in _shown():
		check(readme.contains("\n| `%s` |" % setting), "the README has " + setting)
