@tool
extends EditorPlugin
## Adds to the editor: the autoload, the project settings, a dock that shows the server of the running game, and the folders
## that the game serves to its exports.

const AUTOLOAD := "WebSocketServer"
const SCRIPT := "res://addons/halloo/websocket_server.gd"
const Settings := preload("editor/settings.gd")
const Dock := preload("editor/dock.gd")
const Debugger := preload("editor/debugger.gd")
const Export := preload("editor/export.gd")

var _dock: Dock
var _debugger: Debugger
var _export: Export


func _enable_plugin() -> void:
	if not ProjectSettings.has_setting("autoload/" + AUTOLOAD):
		add_autoload_singleton(AUTOLOAD, SCRIPT)


func _disable_plugin() -> void:
	var registered := str(ProjectSettings.get_setting("autoload/" + AUTOLOAD, "")).trim_prefix("*")
	# An autoload of this name with another script belongs to the project.
	if registered == SCRIPT or registered == ResourceUID.id_to_text(ResourceLoader.get_resource_uid(SCRIPT)):
		remove_autoload_singleton(AUTOLOAD)


func _enter_tree() -> void:
	Settings.register()
	_dock = Dock.new()
	_debugger = Debugger.new()
	_debugger.status_received.connect(_dock.show_status)
	_debugger.game_stopped.connect(_dock.show_idle)
	add_control_to_dock(DOCK_SLOT_RIGHT_BL, _dock)
	add_debugger_plugin(_debugger)
	_export = Export.new()
	add_export_plugin(_export)


func _exit_tree() -> void:
	remove_export_plugin(_export)
	remove_debugger_plugin(_debugger)
	remove_control_from_docks(_dock)
	_dock.queue_free()
