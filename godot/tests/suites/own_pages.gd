extends "res://tests/suite.gd"
## The files of a folder that the server publishes, also in an exported game.

const ServedFiles := preload("res://addons/halloo/served_files.gd")
const CONTROLLER := "res://tests/controller"
## A folder for the test to fill.
const FOLDER := "user://served"


func applies_to(implementation: String) -> bool:
	return implementation == "native"


func before() -> void:
	await super()
	_remove(FOLDER)
	DirAccess.make_dir_recursive_absolute(FOLDER)


func after() -> void:
	ProjectSettings.set_setting("halloo/serve_files", null)
	WebSocketServer.serve_files("")
	WebSocketServer.instance._folder = null


func _remove(folder: String) -> void:
	var directory := DirAccess.open(folder)
	if directory != null:
		directory.include_hidden = true
		for name in directory.get_directories():
			_remove(folder.path_join(name))
		for name in directory.get_files():
			directory.remove(name)
		DirAccess.remove_absolute(folder)


func _write(path: String, text: String) -> void:
	DirAccess.make_dir_recursive_absolute(FOLDER.path_join(path).get_base_dir())
	FileAccess.open(FOLDER.path_join(path), FileAccess.WRITE).store_string(text)


## Returns the status and the text of a page.
func _get_page(path: String) -> Array:
	var request := HTTPRequest.new()
	add_child(request)
	request.request(server_url().replace("ws://", "http://") + path)
	var response: Array = await request.request_completed
	request.queue_free()
	return [response[1], (response[3] as PackedByteArray).get_string_from_utf8()]


func test_a_folder_of_the_project_is_served() -> void:
	equal(WebSocketServer.serve_files(CONTROLLER), OK, "serve_files")
	var page: Array = await _get_page("/")
	equal(page[0], 200, "the status of the page")
	check("<title>Own controller</title>" in page[1], "the page is index.html: " + page[1])
	page = await _get_page("/img/picture.svg")
	check(page[0] == 200 and page[1].begins_with("<svg"), "an imported picture is served as it is: %s" % [page])
	equal((await _get_page("/img/picture.svg.import"))[0], 404, "the status of a file of the engine")
	check("<title>halloo</title>" in (await _get_page("/_halloo/"))[1], "the own page of the server")
	equal(WebSocketServer.serve_files(""), OK, "serve_files without a folder")
	check("<title>halloo</title>" in (await _get_page("/"))[1], "the page of the server is back")


func test_the_folder_in_the_settings_is_served_from_the_start() -> void:
	ProjectSettings.set_setting("halloo/serve_files", CONTROLLER + "/")
	await start_server()
	check("Own controller" in (await _get_page("/"))[1], "the page is served")
	_write("index.html", "first")
	WebSocketServer.serve_files(FOLDER)
	_write("index.html", "second")
	equal((await _get_page("/"))[1], "first", "the file is read once")
	await start_server()
	equal((await _get_page("/"))[1], "second", "the folder of serve_files() is read again at a start")
	ProjectSettings.set_setting("halloo/serve_files", "res://nowhere")
	WebSocketServer.instance._folder = null
	equal(WebSocketServer.start_server(), OK, "the server starts without the folder")


func test_files_are_replaced_while_clients_are_connected() -> void:
	var client: Client = await connected_client()
	_write("index.html", "one")
	_write("data/grüße.json", "{}")
	_write(".well-known/x", "known")
	_write(".git/config", "secret")
	WebSocketServer.serve_files(FOLDER)
	equal(await _get_page("/"), [200, "one"], "the page")
	equal(await _get_page("/data/gr%C3%BC%C3%9Fe.json"), [200, "{}"], "a file in a folder")
	equal(await _get_page("/.well-known/x"), [200, "known"], "a folder for others to find")
	equal((await _get_page("/.git/config"))[0], 404, "the status of a hidden file")
	_remove(FOLDER)
	equal(WebSocketServer.serve_files(FOLDER), ERR_FILE_BAD_PATH, "the folder is gone")
	equal(await _get_page("/"), [200, "one"], "the page is still there")
	check(client.is_open(), "the client is still connected")


func test_errors_say_what_to_do() -> void:
	_write("page.html", "")
	_write("a/readable.js", "")
	DirAccess.open(FOLDER).create_link("nowhere", "a/dangling.js")
	DirAccess.open(FOLDER).create_link("..", "a/above")
	for expected: Array in [
		["controller", ERR_FILE_BAD_PATH, "like res://controller"],
		["res://nowhere", ERR_FILE_BAD_PATH, "there is no folder res://nowhere; create it"],
		["res://nowhere/", ERR_FILE_BAD_PATH, "halloo/serve_files"],
		["res://addons/halloo/plugin.gd", ERR_FILE_BAD_PATH, "no folder"],
		[FOLDER, ERR_FILE_CANT_READ, "cannot read user://served/a/dangling.js"],
	]:
		equal(WebSocketServer.serve_files(expected[0]), expected[1], "serve_files(%s)" % expected[0])
		var problem: String = ServedFiles.new(expected[0]).problem
		check(expected[2] in problem, "%s: %s" % [expected[0], problem])
	DirAccess.remove_absolute(FOLDER + "/a/dangling.js")
	equal(WebSocketServer.serve_files(FOLDER), ERR_FILE_NOT_FOUND, "without an index.html")
	check("there is no index.html in user://served" in ServedFiles.new(FOLDER).problem, "the problem names the file")
	_write("index.html", "")
	_write("nul.txt", "")
	equal(WebSocketServer.serve_files(FOLDER), ERR_INVALID_DATA, "a name that no browser can request")
	DirAccess.remove_absolute(FOLDER + "/nul.txt")
	equal(WebSocketServer.serve_files(FOLDER), OK, "without it")


func test_too_large_files_are_refused_with_their_sizes() -> void:
	_write("index.html", "home")
	for name: String in ["small.bin", "large.mp4"]:
		var file := FileAccess.open(FOLDER.path_join(name), FileAccess.WRITE)
		file.seek(1_000_000 if name == "small.bin" else ServedFiles.MAX_BYTES - 500_000)
		file.store_8(0)
	equal(WebSocketServer.serve_files(FOLDER), ERR_OUT_OF_MEMORY, "too large")
	var problem: String = ServedFiles.new(FOLDER).problem
	for part: String in ["3 files", "32.47 MiB", "32.00 MiB", "large.mp4 with 31.52 MiB"]:
		check(part in problem, "%s: %s" % [part, problem])
	DirAccess.remove_absolute(FOLDER + "/small.bin")
	equal(WebSocketServer.serve_files(FOLDER), OK, "less than 32 MiB")


func test_a_page_with_a_pad_moves_the_joypad_of_the_game() -> void:
	if not arguments.get("node_modules") or not arguments.get("chromium"):
		skipped = "there is no Chromium or no Node.js"
		return
	equal(WebSocketServer.serve_files(CONTROLLER), OK, "serve_files")
	var pads: Node = load("res://addons/halloo/pads.gd").new()
	pads.as_joypads = true
	add_child(pads)
	check(pads.get_invitation().ends_with("/_halloo/pad"), "the pad of the server is beside the page of the game")
	OS.set_environment("CHROMIUM", arguments.chromium)
	OS.set_environment("NODE_MODULES", arguments.node_modules)
	var port: int = WebSocketServer.get_server_status().server_port
	var pid := OS.create_process("node", [arguments.node_programs.path_join("own_controller.mjs"), str(port)])
	check(pid > 0, "Node.js starts")
	var plays := func(): return Input.get_joy_axis(100, JOY_AXIS_LEFT_X) == 1.0 and Input.is_joy_button_pressed(100, JOY_BUTTON_A)
	if await until(plays, "the page moves the stick and presses the button", 40.0):
		pads.get_pads()[0].show_text("seen")
		await until(func(): return not OS.is_process_running(pid), "the page shows the text of the game")
		equal(OS.get_process_exit_code(pid), 0, "exit code of the browser")
	elif OS.is_process_running(pid):
		OS.kill(pid)
