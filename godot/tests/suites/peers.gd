extends "res://tests/suite.gd"
## HallooBrowser and HallooClient: how two programs find each other and talk.

var _server_name: String = ProjectSettings.get_setting("application/config/name")


func wants(implementation: String) -> bool:
	return implementation == "native"


## A node of a native class, which the fallback's project does not have; what it tells is kept.
func _node(native_class: StringName, told: Array[Array]) -> Node:
	var node: Node = ClassDB.instantiate(native_class)
	for info: Dictionary in ClassDB.class_get_signal_list(native_class, true):
		var tell := func(arguments: Array) -> void: told.append([info.name] + arguments)
		match info.args.size():
			1: node.connect(info.name, func(a: Variant) -> void: tell.call([a]))
			2: node.connect(info.name, func(a: Variant, b: Variant) -> void: tell.call([a, b]))
			3: node.connect(info.name, func(a: Variant, b: Variant, c: Variant) -> void: tell.call([a, b, c]))
	return node


func _of_kind(told: Array[Array], kind: String) -> Array:
	return told.filter(func(one): return one[0] == kind).map(func(one): return one.slice(1))


func _connected(target: String, told: Array[Array]) -> Node:
	var client := _node(&"HallooClient", told)
	client.target = target
	add_child(client)
	await until(func(): return not _of_kind(told, "connected").is_empty(), "connected to '%s'" % target)
	return client


func test_a_server_is_found_and_lost() -> void:
	var told: Array[Array] = []
	var browser := _node(&"HallooBrowser", told)
	add_child(browser)
	await until(func(): return not told.is_empty(), "it is found")
	equal(told[0][0], "server_found", "what is told")
	var info: Dictionary = told[0][1]
	equal(info.keys(), ["id", "name", "url", "addresses", "clients"], "keys")
	equal(info.name, _server_name, "name")
	check(info.url in WebSocketServer.get_urls(), "address: " + info.url)
	equal(browser.get_servers().map(func(server): return server.id), [info.id], "the list")
	WebSocketServer.stop_server()
	await until(func(): return _of_kind(told, "server_lost") == [[info.id]], "it is lost")
	equal(browser.get_servers().size(), 0, "the list")


func test_clients_of_a_found_server_are_told() -> void:
	var told: Array[Array] = []
	add_child(_node(&"HallooBrowser", told))
	await until(func(): return not told.is_empty(), "it is found")
	await connected_client()
	await until(func(): return _of_kind(told, "server_updated").any(func(one): return one[0].clients == 1), "its client is told")


func test_ones_own_server_is_passed_over() -> void:
	var told: Array[Array] = []
	var browser := _node(&"HallooBrowser", told)
	browser.ignore = WebSocketServer.instance._server.get_id()
	check(browser.ignore.length() > 0, "the server has an id")
	add_child(browser)
	await seconds(1.5)
	equal(told, [] as Array[Array], "what is told")


func test_however_the_server_is_named() -> void:
	for target: String in ["", _server_name, server_url()]:
		var told: Array[Array] = []
		var client := await _connected(target, told)
		check(client.get_url().ends_with(":8765"), "address: " + client.get_url())
		client.free()
		await until(func(): return WebSocketServer.get_server_status().connected_clients == 0, "it has left")


func test_messages_both_ways() -> void:
	var told: Array[Array] = []
	var client := await _connected(server_url(), told)
	var texts: Array[String] = []
	var bytes: Array[PackedByteArray] = []
	var on_text := func(_id: int, text: String) -> void: texts.append(text)
	var on_bytes := func(_id: int, data: PackedByteArray) -> void: bytes.append(data)
	WebSocketServer.instance.message_received.connect(on_text)
	WebSocketServer.instance.binary_received.connect(on_bytes)
	equal(client.send("Grüße"), OK, "send")
	equal(client.send_binary(PackedByteArray([0, 255])), OK, "send_binary")
	await until(func(): return texts.size() == 1 and bytes.size() == 1, "the server hears both")
	WebSocketServer.instance.message_received.disconnect(on_text)
	WebSocketServer.instance.binary_received.disconnect(on_bytes)
	equal([texts[0], bytes[0]], ["Grüße", PackedByteArray([0, 255])], "what it heard")
	WebSocketServer.send_to_all("hello")
	WebSocketServer.send_binary_to_all(PackedByteArray([1]))
	await until(func(): return not _of_kind(told, "binary_received").is_empty(), "the client hears both")
	equal(_of_kind(told, "message_received"), [["hello"]], "text")
	equal(_of_kind(told, "binary_received"), [[PackedByteArray([1])]], "bytes")


func test_it_comes_back_by_itself() -> void:
	var told: Array[Array] = []
	var client := await _connected(_server_name, told)
	WebSocketServer.stop_server()
	await until(func(): return not _of_kind(told, "disconnected").is_empty(), "the stop is told")
	equal(_of_kind(told, "disconnected")[0][0], 1001, "code")
	check(_of_kind(told, "disconnected")[0][2] >= 0.0, "another attempt follows")
	equal(client.get_url(), "", "no address")
	equal(client.send("kept"), OK, "send while the server is away")
	var heard: Array[String] = []
	WebSocketServer.instance.model_data_received.connect(heard.append)
	await started_on(9300)
	await until(func(): return _of_kind(told, "connected").size() == 2, "it is back", 30.0)
	await until(func(): return heard == (["kept"] as Array[String]), "what was sent meanwhile arrives")
	WebSocketServer.instance.model_data_received.disconnect(heard.append)


func started_on(port: int) -> void:
	equal(WebSocketServer.start_server(port), OK, "the server starts on port %d" % port)


func test_a_close_is_the_end() -> void:
	var told: Array[Array] = []
	var client := await _connected(server_url(), told)
	equal(client.close(999), ERR_INVALID_PARAMETER, "close with a code that is not its own")
	equal(client.close(4001, "good night"), OK, "close")
	await until(func(): return not _of_kind(told, "disconnected").is_empty(), "the end is told")
	equal(_of_kind(told, "disconnected"), [[4001, "good night", -1.0]], "code, reason, no other attempt")
	await until(func(): return client.send("?") == ERR_UNCONFIGURED, "nothing can be sent any more")


func test_nobody_there_is_told() -> void:
	WebSocketServer.stop_server()
	var told: Array[Array] = []
	var client := _node(&"HallooClient", told)
	client.target = "ws://127.0.0.1:9"
	add_child(client)
	await until(func(): return not _of_kind(told, "attempt_failed").is_empty(), "the failure is told")
	check(_of_kind(told, "attempt_failed")[0][1] > 0.0, "when the next attempt begins")
	equal(client.connect_to_server("ftp://x"), ERR_INVALID_PARAMETER, "an address that is none")


func test_a_handler_may_free_the_client() -> void:
	var told: Array[Array] = []
	var client := await _connected(server_url(), told)
	client.message_received.connect(func(_text: String): client.queue_free())
	for i in 100:
		WebSocketServer.send_to_all("free me")
	await until(func(): return not is_instance_valid(client), "it is freed")


func test_a_handler_may_free_what_holds_the_client() -> void:
	var told: Array[Array] = []
	var client := await _connected(server_url(), told)
	var holder := Node.new()
	add_child(holder)
	# Moving it closes the connection; it makes another where it is now.
	client.reparent(holder)
	client.message_received.connect(func(_text: String): holder.free())
	await until(func(): return _of_kind(told, "connected").size() == 2, "connected again")
	for i in 100:
		WebSocketServer.send_to_all("free me")
	await until(func(): return WebSocketServer.get_server_status().connected_clients == 0, "it has left")
	check(not is_instance_valid(client), "it is freed")


func test_a_handler_may_free_what_holds_the_browser() -> void:
	var told: Array[Array] = []
	var holder := Node.new()
	add_child(holder)
	var browser := _node(&"HallooBrowser", told)
	browser.server_found.connect(func(_info: Dictionary): holder.free())
	holder.add_child(browser)
	await until(func(): return not told.is_empty(), "it finds the server")
	check(not is_instance_valid(browser), "it is freed")
