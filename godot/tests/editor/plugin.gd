@tool
extends EditorPlugin
## Tests the plugin of the addon in a headless editor, in a project that contains only the addon and this plugin. The exit
## code is the number of failures.

const AUTOLOAD := "autoload/WebSocketServer"
const SCRIPT := "res://addons/halloo/websocket_server.gd"
const STATUS := {
	"server_running": true, "server_port": 8765, "connected_clients": 1, "discovery_enabled": true,
	"discovery_active": false, "local_ip": "192.168.1.5", "invitation": "http://192.168.1.5:8765/",
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
	_check(not ProjectSettings.has_setting(AUTOLOAD), "there is no autoload before")
	await _enable(true)
	_check(_script_of_autoload() == SCRIPT, "autoload of the addon: %s" % _script_of_autoload())
	await _enable(false)
	_check(not ProjectSettings.has_setting(AUTOLOAD), "disabling removes the autoload")


func test_an_autoload_of_the_project_is_kept() -> void:
	add_autoload_singleton("WebSocketServer", "res://own_server.gd")
	await _enable(true)
	_check(_script_of_autoload() == "res://own_server.gd", "autoload after enabling: %s" % _script_of_autoload())
	await _enable(false)
	_check(_script_of_autoload() == "res://own_server.gd", "autoload after disabling: %s" % _script_of_autoload())
	remove_autoload_singleton("WebSocketServer")


func test_settings_are_shown_and_defaults_are_not_saved() -> void:
	await _enable(true)
	var shown := ProjectSettings.get_property_list().filter(func(info): return info.name.begins_with("halloo/"))
	_check(shown.size() >= 15, "%d settings are shown" % shown.size())
	for info: Dictionary in shown:
		_check(info.type == typeof(ProjectSettings.get_setting(info.name)), info.name + " has the type of its default")
	_check(not _saved_project().contains("[halloo]"), "no setting is saved")
	ProjectSettings.set_setting("halloo/port", 9000)
	var section := _saved_project().get_slice("[halloo]", 1).get_slice("\n[", 0).strip_edges()
	_check(section == "port=9000", "only the changed setting is saved: " + section)
	ProjectSettings.set_setting("halloo/port", 8765)
	_check(not _saved_project().contains("[halloo]"), "a setting with its default is not saved")
	await _enable(false)


func test_the_server_does_not_run_in_the_editor() -> void:
	await _enable(true)
	var other := TCPServer.new()
	_check(other.listen(8765) == OK, "the port is free")
	await _enable(false)


func test_the_dock_shows_a_status() -> void:
	var dock: Control = load("res://addons/halloo/editor/dock.gd").new()
	add_child(dock)
	_check(_text(dock) == dock.IDLE, "text without a game: " + _text(dock))
	dock.show_status(STATUS)
	for part in ["1 client; silent", "ws://127.0.0.1:8765", "ws://192.168.1.5:8765", "7   192.168.1.9:51334   3 ms"]:
		_check(_text(dock).contains(part), "the dock shows %s: %s" % [part, _text(dock)])
	var codes := dock.find_children("*", "TextureRect", true, false)
	_check(codes[0].visible == ClassDB.class_exists("HallooServer"), "a QR code is shown with the native library only")
	dock.show_status({"server_running": true, "server_port": 8765, "local_ip": "10.0.0.1", "discovery_active": true})
	_check(_text(dock).contains("0 clients; announcing"), "status of the fallback: " + _text(dock))
	_check(_text(dock).contains("ws://10.0.0.1:8765"), "address of the fallback: " + _text(dock))
	dock.show_status(STATUS)
	dock.show_idle()
	await get_tree().process_frame
	_check(_text(dock) == dock.IDLE, "text after the game: " + _text(dock))
	dock.free()


func test_the_dock_runs_the_doctor() -> void:
	var dock: Control = load("res://addons/halloo/editor/dock.gd").new()
	add_child(dock)
	var doctor: Control = dock._doctor
	_check(doctor.visible == ClassDB.class_exists("HallooServer"), "the button is shown with the native library only")
	if doctor.visible:
		doctor._button.pressed.emit()
		_check(doctor._button.disabled, "the button is disabled while the doctor runs")
		_check(doctor._report.get_parsed_text() == doctor.RUNNING, "the report says that the doctor runs")
		await _until(func(): return not doctor._button.disabled)
		var report: String = doctor._report.get_parsed_text()
		for part in ["network: ", "port: ", "Cannot be checked from this machine:\nWi-Fi"]:
			_check(report.contains(part), "the report contains %s: %s" % [part, report])
	dock.free()


func test_findings_are_dictionaries() -> void:
	if not ClassDB.class_exists("HallooServer"):
		return
	var doctor: RefCounted = ClassDB.instantiate("HallooDoctor")
	_check(doctor.get_findings() == [] and not doctor.is_busy(), "no findings before the first examination")
	_check(doctor.examine() == OK, "examine() starts")
	_check(doctor.examine() == ERR_BUSY, "examine() while one is running")
	await _until(func(): return not doctor.is_busy())
	var findings: Array = doctor.get_findings()
	_check(not findings.is_empty(), "there are findings")
	for finding in findings:
		_check(finding is Dictionary and finding.keys() == ["severity", "about", "text", "todo"], "keys: %s" % [finding])
		_check(finding.severity in ["ok", "warn", "fail"], "severity: %s" % [finding])
		_check(finding.about and finding.text, "about and text: %s" % [finding])
		_check(finding.severity == "ok" or finding.todo, "todo: %s" % [finding])
	_check(doctor.examine() == OK, "examine() again")
	# Freeing the doctor waits for its thread, as when the editor is closed.
	doctor = null


func test_the_debugger_receives_the_status_of_the_game() -> void:
	var debugger: EditorDebuggerPlugin = load("res://addons/halloo/editor/debugger.gd").new()
	var received: Array[Dictionary] = []
	debugger.status_received.connect(func(status: Dictionary): received.append(status))
	_check(debugger._has_capture("halloo") and not debugger._has_capture("other"), "it captures only messages of halloo")
	_check(debugger._capture("halloo:status", [STATUS], 0), "it accepts a status")
	_check(received == [STATUS], "it emits the status")
	for invalid: Array in [["halloo:other", [STATUS]], ["halloo:status", []], ["halloo:status", ["text"]]]:
		_check(not debugger._capture(invalid[0], invalid[1], 0), "it rejects %s" % [invalid])


## Waits until [param condition] holds. The test fails if it does not within 30 seconds.
func _until(condition: Callable) -> void:
	var deadline := Time.get_ticks_msec() + 30_000
	while not condition.call():
		if Time.get_ticks_msec() > deadline:
			_check(false, "timeout after 30 s")
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


## Returns the texts of the visible controls below [param control], one per line.
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
