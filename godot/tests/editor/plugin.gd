@tool
extends EditorPlugin
## Tests the plugin of the addon in an editor without a screen, in a project that has nothing but the two, and ends with
## the number of failures.

const AUTOLOAD := "autoload/WebSocketServer"
const SCRIPT := "res://addons/halloo/websocket_server.gd"
const STATUS := {
	"server_running": true, "server_port": 8765, "connected_clients": 1, "discovery_enabled": true,
	"discovery_active": false, "local_ip": "192.168.1.5", "page": "http://192.168.1.5:8765/",
	"urls": ["ws://127.0.0.1:8765", "ws://192.168.1.5:8765"],
	"clients": [{"id": 7, "address": "192.168.1.9:51334", "latency_ms": 3, "waiting": 0, "dropped": 0}],
}

var _failures: Array[String] = []


func _enter_tree() -> void:
	_run.call_deferred()


func _run() -> void:
	while EditorInterface.get_resource_filesystem().is_scanning():
		await get_tree().process_frame
	var passed := 0
	var failed := 0
	for method in get_script().get_script_method_list():
		if not method.name.begins_with("test_"):
			continue
		_failures.clear()
		await call(method.name)
		var name: String = "editor." + method.name.trim_prefix("test_")
		if _failures.is_empty():
			passed += 1
			print("ok ", name)
		else:
			failed += 1
			for failure in _failures:
				print("FAILED %s: %s" % [name, failure])
	print("addon tests: %d passed, %d failed, 0 skipped" % [passed, failed])
	get_tree().quit(failed)


func test_enabling_registers_the_autoload() -> void:
	_check(not ProjectSettings.has_setting(AUTOLOAD), "there is none before")
	await _enable(true)
	_check(_script_of_autoload() == SCRIPT, "it is the addon's: %s" % _script_of_autoload())
	await _enable(false)
	_check(not ProjectSettings.has_setting(AUTOLOAD), "disabling removes it")


func test_an_autoload_of_the_project_stays() -> void:
	add_autoload_singleton("WebSocketServer", "res://own_server.gd")
	await _enable(true)
	_check(_script_of_autoload() == "res://own_server.gd", "it is not replaced: %s" % _script_of_autoload())
	await _enable(false)
	_check(_script_of_autoload() == "res://own_server.gd", "it is not removed: %s" % _script_of_autoload())
	remove_autoload_singleton("WebSocketServer")


func test_settings_are_shown_and_defaults_not_written() -> void:
	await _enable(true)
	var shown := ProjectSettings.get_property_list().filter(func(info): return info.name.begins_with("halloo/"))
	_check(shown.size() >= 15, "%d settings are shown" % shown.size())
	for info: Dictionary in shown:
		_check(info.type == typeof(ProjectSettings.get_setting(info.name)), info.name + " has the type of its default")
	_check(not _saved_project().contains("[halloo]"), "none is written")
	ProjectSettings.set_setting("halloo/port", 9000)
	var section := _saved_project().get_slice("[halloo]", 1).get_slice("\n[", 0).strip_edges()
	_check(section == "port=9000", "one that was changed is written, alone: " + section)
	ProjectSettings.set_setting("halloo/port", 8765)
	_check(not _saved_project().contains("[halloo]"), "and no longer when it has its default again")
	await _enable(false)


func test_nothing_listens_in_the_editor() -> void:
	await _enable(true)
	var other := TCPServer.new()
	_check(other.listen(8765) == OK, "the port is free")
	await _enable(false)


func test_the_dock_shows_a_status() -> void:
	var dock: Control = load("res://addons/halloo/editor/dock.gd").new()
	add_child(dock)
	_check(_text(dock) == dock.IDLE, "first it says what to do: " + _text(dock))
	dock.show_status(STATUS)
	for part in ["1 client; silent", "ws://127.0.0.1:8765", "ws://192.168.1.5:8765", "7   192.168.1.9:51334   3 ms"]:
		_check(_text(dock).contains(part), "it shows %s: %s" % [part, _text(dock)])
	var codes := dock.find_children("*", "TextureRect", true, false)
	_check(codes[0].visible == ClassDB.class_exists("HallooServer"), "a QR code, if there is a library to make one")
	dock.show_status({"server_running": true, "server_port": 8765, "local_ip": "10.0.0.1", "discovery_active": true})
	_check(_text(dock).contains("0 clients; announcing"), "what the fallback tells: " + _text(dock))
	_check(_text(dock).contains("ws://10.0.0.1:8765"), "its address: " + _text(dock))
	dock.show_status(STATUS)
	dock.show_nothing()
	await get_tree().process_frame
	_check(_text(dock) == dock.IDLE, "nothing is left of it: " + _text(dock))
	dock.free()


func test_the_dock_tells_why_it_is_not_found() -> void:
	var dock: Control = load("res://addons/halloo/editor/dock.gd").new()
	add_child(dock)
	var doctor: Control = dock._doctor
	_check(doctor.visible == ClassDB.class_exists("HallooServer"), "it is offered if there is a library to do it")
	if doctor.visible:
		doctor._button.pressed.emit()
		_check(doctor._button.disabled, "it is not asked twice at once")
		_check(doctor._report.get_parsed_text() == doctor.LOOKING, "it says that it looks")
		await _until(func(): return not doctor._button.disabled)
		var report: String = doctor._report.get_parsed_text()
		for part in ["network: ", "port: ", "What cannot be seen from here:\nWi-Fi"]:
			_check(report.contains(part), "it tells %s: %s" % [part, report])
	dock.free()


func test_findings_are_dictionaries() -> void:
	if not ClassDB.class_exists("HallooServer"):
		return
	var doctor: RefCounted = ClassDB.instantiate("HallooDoctor")
	_check(doctor.get_findings() == [] and not doctor.is_busy(), "nothing is known before")
	_check(doctor.examine() == OK, "it begins")
	_check(doctor.examine() == ERR_BUSY, "once at a time")
	await _until(func(): return not doctor.is_busy())
	var findings: Array = doctor.get_findings()
	_check(not findings.is_empty(), "something is found")
	for finding in findings:
		_check(finding is Dictionary and finding.keys() == ["severity", "about", "text", "todo"], "its keys: %s" % [finding])
		_check(finding.severity in ["ok", "warn", "fail"], "its severity: %s" % [finding])
		_check(finding.about and finding.text, "it says something: %s" % [finding])
		_check(finding.severity == "ok" or finding.todo, "what to do: %s" % [finding])
	_check(doctor.examine() == OK, "it looks again")
	# The editor may be closed meanwhile: this waits for the thread.
	doctor = null


func test_messages_of_the_game_arrive() -> void:
	var debugger: EditorDebuggerPlugin = load("res://addons/halloo/editor/debugger.gd").new()
	var heard: Array[Dictionary] = []
	debugger.status_received.connect(func(status: Dictionary): heard.append(status))
	_check(debugger._has_capture("halloo") and not debugger._has_capture("other"), "it listens for its own only")
	_check(debugger._capture("halloo:status", [STATUS], 0), "it takes a status")
	_check(heard == [STATUS], "it passes it on")
	for wrong: Array in [["halloo:other", [STATUS]], ["halloo:status", []], ["halloo:status", ["text"]]]:
		_check(not debugger._capture(wrong[0], wrong[1], 0), "it does not take %s" % [wrong])


## Lets frames pass until [param condition] holds; a failure when it does not within half a minute.
func _until(condition: Callable) -> void:
	var deadline := Time.get_ticks_msec() + 30_000
	while not condition.call():
		if Time.get_ticks_msec() > deadline:
			_check(false, "in vain for half a minute")
			return
		await get_tree().process_frame


func _enable(on: bool) -> void:
	EditorInterface.set_plugin_enabled("halloo", on)
	_check(EditorInterface.is_plugin_enabled("halloo") == on, "the plugin is %s" % ("on" if on else "off"))
	await get_tree().process_frame


func _script_of_autoload() -> String:
	var registered := str(ProjectSettings.get_setting(AUTOLOAD, "")).trim_prefix("*")
	return ResourceUID.get_id_path(ResourceUID.text_to_id(registered)) if registered.begins_with("uid://") else registered


func _saved_project() -> String:
	ProjectSettings.save()
	return FileAccess.get_file_as_string("res://project.godot")


## All that the visible controls below say, a line for each.
func _text(control: Control) -> String:
	var lines := PackedStringArray()
	for child: Control in control.find_children("*", "Control", true, false):
		if child.is_queued_for_deletion() or not child.visible:
			continue
		if child is ItemList:
			for index in child.item_count:
				lines.append(child.get_item_text(index))
		elif child is Label or child is LinkButton:
			lines.append(child.text)
	return "\n".join(lines)


func _check(condition: bool, what: String) -> void:
	if not condition:
		_failures.append(what)
