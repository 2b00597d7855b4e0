extends RefCounted
## The files of a folder that the server publishes, read into memory: also those in an exported game, where the folder is a
## part of the pack.

## Maximum size of all files together.
const MAX_BYTES := 32 * 1024 * 1024
const INDEX := "index.html"
## Files that the engine puts beside others.
const ENGINE_EXTENSIONS: Array[String] = ["import", "uid", "remap"]

## The folder, such as [code]res://controller[/code].
var folder := ""
## The paths of the files, relative to the folder.
var paths := PackedStringArray()
## [constant OK], or the error that [method WebSocketServer.serve_files] returns.
var error := OK
## What is wrong, and what to do, if there is an error.
var problem := ""

## The sizes of the files by path.
var _sizes := {}


## Lists the files of a folder.
func _init(listed_folder: String) -> void:
	folder = listed_folder if listed_folder.ends_with("://") else listed_folder.trim_suffix("/")
	if not folder.is_absolute_path():
		_fail(ERR_FILE_BAD_PATH, "%s is no path of a folder; write it like res://controller" % folder)
	elif not DirAccess.dir_exists_absolute(folder):
		_fail(ERR_FILE_BAD_PATH, ("there is no folder %s; create it with an %s, or correct the path. An exported game has only the "
				+ "folders in halloo/serve_files and halloo/export_folders") % [folder, INDEX])
	else:
		_list("")
		_check()


## Returns the contents of the files as [PackedByteArray]s, by their paths.
func read() -> Dictionary:
	var contents := {}
	for path in paths:
		contents[path] = FileAccess.get_file_as_bytes(folder.path_join(path))
		if FileAccess.get_open_error() != OK:
			_fail_to_read(path, FileAccess.get_open_error())
	return contents


func _list(below: String) -> void:
	var directory := DirAccess.open(folder.path_join(below))
	if directory == null:
		return _fail_to_read(below, DirAccess.get_open_error())
	directory.include_hidden = true
	for name in directory.get_files():
		# In an export, an imported picture is only there if the export plugin has added it.
		if name.get_extension() == "import" and not directory.file_exists(name.get_basename()):
			push_warning("[halloo] %s is not in this export, so it is not served; enable the plugin halloo before the export"
					% folder.path_join(below).path_join(name.get_basename()))
		elif _is_published(name) and name.get_extension() not in ENGINE_EXTENSIONS:
			_add(below.path_join(name))
	for name in directory.get_directories():
		# A link could lead to a folder above. The method is new in Godot 4.3.
		var is_link: bool = directory.has_method(&"is_link") and directory.call(&"is_link", name)
		if _is_published(name) and not is_link:
			_list(below.path_join(name))


func _is_published(name: String) -> bool:
	return not name.begins_with(".") or name == ".well-known"


func _add(path: String) -> void:
	var file := FileAccess.open(folder.path_join(path), FileAccess.READ)
	if file == null:
		return _fail_to_read(path, FileAccess.get_open_error())
	paths.append(path)
	_sizes[path] = file.get_length()


func _check() -> void:
	if error != OK:
		return
	var total := 0
	var largest := INDEX
	for path in paths:
		total += _sizes[path]
		if _sizes[path] > _sizes.get(largest, 0):
			largest = path
	if total > MAX_BYTES:
		_fail(ERR_OUT_OF_MEMORY, ("the %d files in %s have %s, and at most %s are served; remove some, or make them smaller. The "
				+ "largest is %s with %s") % [paths.size(), folder, String.humanize_size(total), String.humanize_size(MAX_BYTES),
				largest, String.humanize_size(_sizes[largest])])
	elif INDEX not in paths:
		_fail(ERR_FILE_NOT_FOUND, "there is no %s in %s, so there would be no page at /; add one, or name the folder that has it"
				% [INDEX, folder])


func _fail_to_read(path: String, cause: Error) -> void:
	_fail(ERR_FILE_CANT_READ, "cannot read %s (%s); allow the game to read it, or remove it"
			% [folder.path_join(path), error_string(cause)])


## Keeps the first problem.
func _fail(code: Error, text: String) -> void:
	if error == OK:
		error = code
		problem = text
