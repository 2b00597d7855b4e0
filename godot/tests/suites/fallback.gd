extends "res://tests/suite.gd"
## Internals of the implementation in GDScript.

const Fallback := preload("res://addons/halloo/fallback.gd")


func before() -> void:
	pass


func applies_to(implementation: String) -> bool:
	return implementation == "fallback"


func test_private_addresses_rank_first() -> void:
	var fallback := Fallback.new()
	var ranked := ["192.168.1.5", "10.0.0.1", "172.16.0.1", "84.1.2.3"]
	for i in ranked.size() - 1:
		check(fallback._rank(ranked[i]) > fallback._rank(ranked[i + 1]), "%s ranks before %s" % [ranked[i], ranked[i + 1]])
	for never in ["127.0.0.1", "127.8.8.8", "::1", "fe80:0:0:0:1:2:3:4", "0:0:0:0:0:ffff:c0a8:101"]:
		equal(fallback._rank(never), 0, never + " is not used")
	for public in ["172.15.0.1", "172.32.0.1", "192.169.0.1", "100.1.1.1"]:
		equal(fallback._rank(public), 1, public + " is not a private address")
	fallback.free()


func test_printed_payloads_are_truncated_and_escaped() -> void:
	var fallback := Fallback.new()
	equal(fallback._printable("Grüße 🎮"), "Grüße 🎮", "printable text")
	equal(fallback._printable("a\u001b[31m\r\nb\u202ec\u0085"), "a\\u001b[31m\\u000d\\u000ab\\u202ec\\u0085",
			"control characters")
	equal(fallback._printable("x".repeat(5000)).length(), 201, "length of a long text")
	fallback.free()


func test_send_to_all_skips_clients_that_are_not_open() -> void:
	var fallback := Fallback.new()
	fallback.clients[1] = WebSocketPeer.new()
	equal(fallback.send_to_all("hello"), OK, "send_to_all")
	fallback.clients.clear()
	fallback.free()


func test_files_are_not_served_and_one_warning_says_so() -> void:
	var server: Node = WebSocketServer.instance._server
	equal(WebSocketServer.serve_files("res://tests/controller"), ERR_UNAVAILABLE, "serve_files")
	check(server._is_asked_for_files, "the warning is printed, and not again")


func test_names_in_paths_are_decoded_and_checked() -> void:
	var Rooms: GDScript = Fallback.Rooms
	for expected: Array in [["/room/red", "red"], ["/room/a%2Fb", "a/b"], ["/room/100%", "100%"], ["/room/%zz", "%zz"],
			["/room/%E2%98%95", "☕"], ["/room/a+b", "a+b"], ["/", ""], ["/Room/red", ""]]:
		equal(Rooms.in_path(expected[0]), [expected[1], ""] as Array[String], expected[0])
	for path: String in ["/room/%C3", "/room/%ED%A0%80", "/room/%F4%90%80%80", "/room/%E0%80%80", "/room/a%00b", "/room/%80", "/room/%C3a"]:
		check("UTF-8" in Rooms.in_path(path)[1], "%s: %s" % [path, Rooms.in_path(path)])
	equal(Rooms.query_of("ws://host:1/a?b=1+2&TOKEN=x&%64=%C3%BC&b=3&c&e=%FF"), {"b": "1 2", "d": "ü", "c": "", "e": ""}, "the query")
	equal(Rooms.path_of("ws://host:1"), "/", "a URL without a path")


func test_handler_of_client_joined_can_stop_the_server() -> void:
	var fallback := Fallback.new()
	add_child(fallback)
	fallback.set_process(false)
	equal(fallback.start_server(0), OK, "the server starts")
	var clients: Array[WebSocketPeer] = []
	for i in 2:
		clients.append(await _complete_handshake(fallback))
	var joined: Array[int] = []
	fallback.client_joined.connect(func(id: int):
		joined.append(id)
		fallback.stop_server())
	fallback._process(0.0)
	equal(joined, [1] as Array[int], "the clients that joined")
	equal(fallback.get_server_status().connected_clients, 0, "connected_clients of the stopped server")
	equal(fallback._pending.size(), 0, "pending connections of the stopped server")
	fallback.free()


func test_handler_of_client_left_can_start_the_server() -> void:
	var fallback := Fallback.new()
	add_child(fallback)
	fallback.set_process(false)
	for stop: Callable in [fallback.stop_server, fallback.start_server.bind(0)]:
		equal(fallback.start_server(0), OK, "the server starts")
		var client: WebSocketPeer = await _complete_handshake(fallback)
		fallback._process(0.0)
		equal(fallback.clients.size(), 1, "the number of clients")
		var results: Array[Error] = []
		fallback.client_left.connect(func(_id, _code, _reason): results.append(fallback.start_server(0)), CONNECT_ONE_SHOT)
		var result: Variant = stop.call()
		equal(results, [OK] as Array[Error], "start_server() in the handler")
		check(result in [null, OK], "the result of the call that emits the signal: %s" % result)
		check(fallback.get_server_status().server_running, "the server is running")
		check(fallback.get_server_status().discovery_active, "the server is announced")
	fallback.free()


func test_client_in_gdscript_finds_it_by_its_beacon() -> void:
	await start_server()
	var client: Node = load("res://halloo_client/halloo_client.gd").new()
	add_child(client)
	await until(func(): return client.get_url() != "", "the client connects")


## Connects a client and completes its handshake, which [param fallback] does not notice until it processes.
func _complete_handshake(fallback: Fallback) -> WebSocketPeer:
	var client := WebSocketPeer.new()
	client.connect_to_url("ws://127.0.0.1:%d" % fallback.tcp_server.get_local_port())
	var is_there := func() -> bool:
		client.poll()
		return fallback.tcp_server.is_connection_available()
	if await until(is_there, "the connection arrives"):
		fallback._accept(fallback.tcp_server.take_connection())
	var peer: WebSocketPeer = fallback._pending.keys().back()
	var is_open := func() -> bool:
		client.poll()
		peer.poll()
		return peer.get_ready_state() == WebSocketPeer.STATE_OPEN
	await until(is_open, "the handshake is complete")
	return client
