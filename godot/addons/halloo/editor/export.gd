@tool
extends EditorExportPlugin
## Adds the folders that the game serves to its exports. Without this, an export has neither the sources of imported files,
## such as pictures, nor files that are no resources, such as [code]index.html[/code].

const ServedFiles := preload("../served_files.gd")
const SETTINGS: Array[String] = ["halloo/serve_files", "halloo/export_folders"]


func _get_name() -> String:
	return "halloo"


func _export_begin(_features: PackedStringArray, _is_debug: bool, _path: String, _flags: int) -> void:
	for folder in folders():
		var files := ServedFiles.new(folder)
		var contents := files.read()
		# A folder above those of several pages needs no page of its own.
		if files.error not in [OK, ERR_FILE_NOT_FOUND]:
			_report(files.problem)
			continue
		for path: String in contents:
			add_file(files.folder.path_join(path), contents[path], false)


## Returns the folders of the project that the settings name, each once.
static func folders() -> PackedStringArray:
	var names := PackedStringArray()
	for setting in SETTINGS:
		var value: Variant = ProjectSettings.get_setting(setting, "")
		for folder: String in ([value] if value is String else value):
			if folder.begins_with("res://") and folder not in names:
				names.append(folder)
	return names


func _report(problem: String) -> void:
	push_error("[halloo] the export lacks a folder: ", problem)
	# New in Godot 4.4.
	var platform := get_export_platform() if has_method(&"get_export_platform") else null
	if platform != null and platform.has_method(&"add_message"):
		# The number of EditorExportPlatform.EXPORT_MESSAGE_ERROR.
		platform.call(&"add_message", 3, "halloo", problem)
