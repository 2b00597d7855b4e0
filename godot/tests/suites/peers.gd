extends "res://tests/suite.gd"
## HallooBrowser and HallooClient: two programs that find each other and exchange messages.

var _server_name: String = ProjectSettings.get_setting("application/config/name")


func applies_to(implementation: String) -> bool:
	return implementation == "native"


## Creates a node of a native class, by name because the fallback's project does not have it, and records its signals.
func _node(native_class: StringName, emitted: Array[Array]) -> Node:
	return record(ClassDB.instantiate(native_class), ClassDB.class_get_signal_list(native_class, true), emitted)


func test_browser_finds_and_loses_a_server() -> void:
	var emitted: Array[Array] = []
	var browser := _node(&"HallooBrowser", emitted)
	add_child(browser)
	await until(func(): return not emitted.is_empty(), "server_found is emitted")
	equal(emitted[0][0], "server_found", "first signal")
	var info: Dictionary = emitted[0][1]
	equal(info.keys(), ["id", "name", "url", "addresses", "clients", "app", "cluster", "meta"], "keys")
	equal(info.name, _server_name, "name")
	equal([info.app, info.meta], [_server_name, {}], "the application is the project")
	check(info.url in WebSocketServer.get_urls(), "url: " + info.url)
	equal(browser.get_servers().map(func(server): return server.id), [info.id], "get_servers")
	WebSocketServer.stop_server()
	await until(func(): return arguments_of(emitted, "server_lost") == [[info.id]], "server_lost is emitted")
	equal(browser.get_servers().size(), 0, "get_servers")


func test_browser_reports_the_number_of_clients() -> void:
	var emitted: Array[Array] = []
	add_child(_node(&"HallooBrowser", emitted))
	await until(func(): return not emitted.is_empty(), "server_found is emitted")
	await connected_client()
	await until(func(): return arguments_of(emitted, "server_updated").any(func(one): return one[0].clients == 1),
			"server_updated is emitted")


func test_browser_ignores_the_given_id() -> void:
	var emitted: Array[Array] = []
	var browser := _node(&"HallooBrowser", emitted)
	browser.ignore = WebSocketServer.instance._server.get_id()
	check(browser.ignore.length() > 0, "the server has an id")
	add_child(browser)
	await seconds(1.5)
	equal(emitted, [] as Array[Array], "signals")


func test_browser_and_client_leave_out_other_applications() -> void:
	for app: String in ["another game", _server_name.to_upper()]:
		var emitted: Array[Array] = []
		for native_class: StringName in [&"HallooBrowser", &"HallooClient"]:
			var node := _node(native_class, emitted)
			node.app = app
			add_child(node)
		if app == "another game":
			await seconds(1.5)
			equal(emitted, [] as Array[Array], "signals")
		else:
			await until(func(): return arguments_of(emitted, "server_found") and arguments_of(emitted, "connected"), "found, connected")


func test_properties_reach_a_browser() -> void:
	var emitted: Array[Array] = []
	ProjectSettings.set_setting("halloo/meta", {"map": "desert", "players": 1})
	await start_server()
	ProjectSettings.set_setting("halloo/meta", null)
	add_child(_node(&"HallooBrowser", emitted))
	var found := func(meta: Dictionary) -> bool:
		return emitted.any(func(one): return one[1] is Dictionary and one[1].meta == meta)
	await until(func(): return found.call({"map": "desert", "players": "1"}), "the properties of the setting")
	equal(WebSocketServer.set_server_meta({"map": "forest"}), OK, "set_server_meta")
	await until(func(): return found.call({"map": "forest"}), "the changed properties")
	equal(WebSocketServer.set_server_meta({"a b": 1}), ERR_INVALID_PARAMETER, "set_server_meta with an invalid key")


func test_a_handler_can_free_the_parent_of_the_browser() -> void:
	var emitted: Array[Array] = []
	var parent := Node.new()
	add_child(parent)
	var browser := _node(&"HallooBrowser", emitted)
	browser.server_found.connect(func(_info: Dictionary): parent.free())
	parent.add_child(browser)
	await until(func(): return not emitted.is_empty(), "server_found is emitted")
	check(not is_instance_valid(browser), "the browser is freed")
