extends "res://tests/suites/client_native.gd"
## The client in plain GDScript passes the tests of the native one, and those of tokens, rooms and names.

const TOKEN := "the-otters-meet-at-nine"
const PATH := "res://halloo_client/halloo_client.gd"


func _new_client(emitted: Array[Array]) -> Node:
	var script: GDScript = load(PATH)
	return record(script.new(), script.get_script_signal_list(), emitted)


func after() -> void:
	ProjectSettings.set_setting("halloo/token", null)
	ProjectSettings.set_setting("halloo/token_proof_only", null)


func test_it_has_what_the_native_client_has() -> void:
	var script: GDScript = load(PATH)
	var native := &"HallooClient"
	var names := func(infos: Array) -> Array: return infos.map(func(info: Dictionary) -> String: return info.name)
	for pair: Array in [
		[ClassDB.class_get_signal_list(native, true), script.get_script_signal_list()],
		[ClassDB.class_get_method_list(native, true), script.get_script_method_list()],
		[ClassDB.class_get_property_list(native, true), script.get_script_property_list()],
	]:
		for name: String in names.call(pair[0]):
			var is_own := not name.begins_with("_") and not name.begins_with("set_") and name != "HallooClient"
			if is_own and not name in ["get_target", "get_token", "get_app", "enter_tree", "exit_tree", "init"]:
				check(name in names.call(pair[1]), "it has " + name)


func test_a_token_is_proven_and_never_sent() -> void:
	ProjectSettings.set_setting("halloo/token", TOKEN)
	ProjectSettings.set_setting("halloo/token_proof_only", true)
	await start_server()
	for target: String in [server_url() + "#token=" + TOKEN, _server_name]:
		var emitted: Array[Array] = []
		var client := _new_client(emitted)
		client.target = target
		client.token = "" if "#" in target else TOKEN
		add_child(client)
		await until(func(): return not arguments_of(emitted, "connected").is_empty(), "connected to '%s'" % target)
		client.free()


func test_a_wrong_token_ends_the_client() -> void:
	ProjectSettings.set_setting("halloo/token", TOKEN)
	await start_server()
	for target: String in [server_url(), _server_name]:
		for token: String in ["a-wrong-token-of-mine", ""]:
			var reason := await _gives_up(target, token)
			check("(401)" in reason and "token" in reason, reason)


func test_a_server_that_does_not_know_the_token_gets_nothing() -> void:
	var reason := await _gives_up(server_url(), TOKEN)
	check("did not ask for a token" in reason, reason)
	equal(WebSocketServer.get_server_status().halloo.clients_total, 0, "clients of the server")


## Returns why a client gives up.
func _gives_up(target: String, token: String) -> String:
	var emitted: Array[Array] = []
	var client := _new_client(emitted)
	client.target = target
	client.token = token
	add_child(client)
	await until(func(): return not arguments_of(emitted, "gave_up").is_empty(), "the client gives up")
	equal(client.send("late"), ERR_UNCONFIGURED, "send after the end")
	client.free()
	return arguments_of(emitted, "gave_up")[0][0] if arguments_of(emitted, "gave_up") else ""


func test_a_room_is_joined_by_the_path() -> void:
	var emitted: Array[Array] = []
	await _connected(server_url() + "/room/red", emitted)
	await until(func(): return WebSocketServer.get_rooms() == {"red": 1}, "the client is in the room")
	WebSocketServer.send_to_room("red", "hi")
	await until(func(): return arguments_of(emitted, "message_received") == [["hi"]], "the message to the room arrives")
	var reason := await _gives_up(server_url() + "/room/_staff", "")
	check("(404)" in reason, reason)


func test_a_close_code_of_the_application_ends_the_client() -> void:
	var emitted: Array[Array] = []
	var joined: Array[int] = []
	WebSocketServer.instance.client_joined.connect(func(id: int): joined.append(id), CONNECT_ONE_SHOT)
	await _connected(_server_name, emitted)
	await until(func(): return not joined.is_empty(), "the client has joined")
	WebSocketServer.disconnect_client(joined[0], 4000, "enough")
	await until(func(): return not arguments_of(emitted, "gave_up").is_empty(), "the client gives up")
	check("4000: enough" in arguments_of(emitted, "gave_up")[0][0], str(emitted))


func test_a_name_that_no_server_has() -> void:
	var reason := await _fails("absent")
	check("no server named `absent` was found; there is `%s`" % _server_name in reason, reason)


func test_a_connection_without_trusted_tls() -> void:
	var reason := await _fails(server_url().replace("ws://", "wss://"))
	check("that this system trusts its certificate" in reason, reason)


func test_two_servers_with_one_name_are_listed() -> void:
	var other: Node = ClassDB.instantiate(&"HallooServer")
	add_child(other)
	equal(other.start({"port": 9400, "name": _server_name}), OK, "the other server starts")
	var reason := await _fails(_server_name)
	check("there are 2 servers" in reason and ":8765 (id " in reason and ":9400 (id " in reason, reason)


func test_another_server_of_the_cluster_takes_the_place_of_one_that_is_gone() -> void:
	var nodes := [9410, 9420].map(func(port: int) -> Node:
		var node: Node = ClassDB.instantiate(&"HallooServer")
		add_child(node)
		equal(node.start({"port": port, "name": "cluster", "cluster_name": "stage"}), OK, "a server starts")
		return node)
	var emitted: Array[Array] = []
	var client := _new_client(emitted)
	client.target = "cluster"
	add_child(client)
	await until(func(): return not arguments_of(emitted, "connected").is_empty(), "the client is connected")
	var at_first := nodes.map(func(node: Node) -> int: return node.get_clients().size())
	equal(at_first.count(1), 1, "at one of them")
	nodes.pop_at(at_first.find(1)).free()
	await until(func(): return nodes[0].get_clients().size() == 1, "the other one has the client")
	nodes[0].free()


func test_the_application_id_selects_the_server() -> void:
	var emitted: Array[Array] = []
	var client := _new_client(emitted)
	client.app = "another game"
	add_child(client)
	await until(func(): return not arguments_of(emitted, "attempt_failed").is_empty(), "no server is found")
	client.free()
	client = _new_client(emitted)
	client.app = _server_name.to_upper()
	add_child(client)
	await until(func(): return not arguments_of(emitted, "connected").is_empty(), "the server is found")


## Returns why the first attempt of a client fails.
func _fails(target: String) -> String:
	var emitted: Array[Array] = []
	var client := _new_client(emitted)
	client.target = target
	add_child(client)
	await until(func(): return not arguments_of(emitted, "attempt_failed").is_empty(), "the attempt fails")
	client.free()
	return arguments_of(emitted, "attempt_failed")[0][0] if arguments_of(emitted, "attempt_failed") else ""


func test_a_plain_websocket_server_is_reached_by_its_address() -> void:
	if arguments.python.is_empty():
		skipped = "Python is missing"
		return
	var file := ProjectSettings.globalize_path("res://.godot/echo")
	DirAccess.remove_absolute(file)
	await python("echo.py", [file], func():
		await until(func(): return FileAccess.file_exists(file), "the server is listening")
		var emitted: Array[Array] = []
		var client := await _connected("ws://127.0.0.1:" + FileAccess.get_file_as_string(file), emitted)
		client.send("echo")
		await until(func(): return arguments_of(emitted, "message_received") == [["echo"]], "the message comes back")
		client.send("stop"))


func test_large_messages_in_both_directions() -> void:
	var emitted: Array[Array] = []
	var client := await _connected(server_url(), emitted)
	var texts: Array[String] = []
	var on_text := func(received: String) -> void: texts.append(received)
	WebSocketServer.instance.model_data_received.connect(on_text)
	var text := "x".repeat(1_000_000)
	for i in 4:
		equal(client.send(text), OK, "send")
		WebSocketServer.send_to_all(text)
	await until(func(): return texts.size() == 4 and arguments_of(emitted, "message_received").size() == 4, "all arrive")
	WebSocketServer.instance.model_data_received.disconnect(on_text)
	check(texts.all(func(one): return one == text), "what the server has received")
	check(arguments_of(emitted, "message_received").all(func(one): return one[0] == text), "what the client has received")


func test_a_server_that_moved_is_found_again_by_its_name() -> void:
	var emitted: Array[Array] = []
	var client := await _connected(_server_name, emitted)
	WebSocketServer.stop_server()
	# Another server has the old address now.
	var other: Node = ClassDB.instantiate(&"HallooServer")
	add_child(other)
	equal(other.start({"port": 8765, "name": "attic"}), OK, "the other server starts")
	start_server_on(9300)
	await until(func(): return client.get_url().ends_with(":9300"), "the client reconnects", 30.0)
	equal(other.get_status().halloo.clients_total, 0, "clients of the other server")


func test_a_server_that_restarted_where_broadcasts_do_not_get_is_found_at_its_last_address() -> void:
	var emitted: Array[Array] = []
	var client := await _connected(_server_name, emitted)
	WebSocketServer.stop_server()
	var other: Node = ClassDB.instantiate(&"HallooServer")
	add_child(other)
	# It replies to no probe.
	equal(other.start({"port": 8765, "name": _server_name, "discovery": false}), OK, "the server starts again")
	await until(func(): return other.get_clients().size() == 1, "the client reconnects", 30.0)
	client.free()


func test_leaving_the_tree_closes_the_connection() -> void:
	var emitted: Array[Array] = []
	var codes: Array[int] = []
	WebSocketServer.instance.client_left.connect(func(_id: int, code: int, _reason: String): codes.append(code), CONNECT_ONE_SHOT)
	var client := await _connected(server_url(), emitted)
	remove_child(client)
	await until(func(): return codes == ([1001] as Array[int]), "the server gets the close code")
	client.free()


func test_a_full_queue_is_reported() -> void:
	var emitted: Array[Array] = []
	var client := _new_client(emitted)
	client.target = "ws://127.0.0.1:9"
	add_child(client)
	for i in 16384:
		client.send("x")
	equal(client.send("y"), ERR_BUSY, "send to a full queue")
	client.close()
	equal(arguments_of(emitted, "messages_dropped"), [[16384]], "messages_dropped")


func test_the_example_of_the_readme_runs() -> void:
	var readme := FileAccess.get_file_as_string("res://halloo_client/README.md")
	var example := readme.get_slice("```gdscript\n", 1).get_slice("```", 0)
	check(example.count("\n") <= 15, "it has at most 15 lines")
	var script := GDScript.new()
	script.source_code = example.replace("Living room", _server_name)
	equal(script.reload(), OK, "it compiles")
	var received: Array[String] = []
	var on_text := func(text: String) -> void: received.append(text)
	WebSocketServer.instance.model_data_received.connect(on_text)
	var node: Node = script.new()
	add_child(node)
	await until(func(): return received == (["hello"] as Array[String]), "the server receives the message")
	WebSocketServer.instance.model_data_received.disconnect(on_text)
