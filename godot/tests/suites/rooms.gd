extends "res://tests/suite.gd"
## Rooms, and what a client says when it connects.

## The ids of the clients that joined.
var _joined: Array[int] = []


func before() -> void:
	await start_server()
	WebSocketServer.instance.client_joined.connect(_on_client_joined)


func after() -> void:
	for setting: String in ["subprotocols", "max_rooms", "max_rooms_per_client"]:
		ProjectSettings.set_setting("halloo/" + setting, null)


func _on_client_joined(id: int) -> void:
	_joined.append(id)


## Connects a client to a path; returns it and its id.
func _client_at(path := "", prepare := Callable()) -> Array:
	var count := _joined.size()
	var client := Client.new()
	if prepare.is_valid():
		prepare.call(client.peer)
	add_child(client)
	client.open(server_url() + path)
	await until(client.is_open, "a client connects")
	await until(func(): return _joined.size() > count, "client_joined is emitted")
	return [client, _joined[-1]]


func _rooms_of(id: int) -> PackedStringArray:
	return WebSocketServer.get_client(id).get("rooms", PackedStringArray())


func test_get_client_has_what_the_client_said() -> void:
	ProjectSettings.set_setting("halloo/subprotocols", PackedStringArray(["json"]))
	await start_server()
	var joined := await _client_at("/room/caf%C3%A9?name=J%C3%BCrgen+M&seat=3&seat=4&ready&token=secret",
			func(peer: WebSocketPeer) -> void:
				if arguments.implementation == "native":
					peer.supported_protocols = ["xml", "json"]
				peer.handshake_headers = ["User-Agent: Tanks/1.0", "Origin: " + server_url().replace("ws:", "http:")])
	var client: Dictionary = WebSocketServer.get_client(joined[1])
	equal(client.keys(), ["id", "address", "path", "query", "subprotocols", "subprotocol", "origin", "user_agent", "rooms"],
			"keys")
	equal(client.id, joined[1], "id")
	check(client.address.begins_with("127.0.0.1:"), "address: " + client.address)
	equal(client.path, "/room/caf%C3%A9", "path")
	equal(client.query, {"name": "Jürgen M", "seat": "3", "ready": ""}, "query")
	equal(client.rooms, PackedStringArray(["café"]), "rooms")
	if arguments.implementation == "fallback":
		# The engine does not show the headers.
		equal([client.subprotocols, client.subprotocol, client.origin, client.user_agent], [PackedStringArray(), "", "", ""],
				"what is in headers")
		return
	equal(client.subprotocols, PackedStringArray(["xml", "json"]), "subprotocols")
	equal(client.subprotocol, "json", "subprotocol")
	equal(client.origin, server_url().replace("ws:", "http:"), "origin")
	equal(client.user_agent, "Tanks/1.0", "user_agent")


func test_what_a_client_does_not_say_is_empty() -> void:
	var client: Dictionary = WebSocketServer.get_client((await _client_at())[1])
	equal(client.path, "/", "path")
	equal(client.query, {}, "query")
	equal([client.subprotocol, client.origin], ["", ""], "subprotocol and origin")
	equal([client.subprotocols, client.rooms], [PackedStringArray(), PackedStringArray()], "subprotocols and rooms")


func test_get_client_is_empty_for_a_client_that_left() -> void:
	var joined := await _client_at()
	var id: int = joined[1]
	joined[0].close()
	await until(func(): return WebSocketServer.get_client(id) == {}, "get_client is empty")
	equal(WebSocketServer.get_client(-1), {}, "a negative id")
	equal(WebSocketServer.join_room(id, "red"), ERR_DOES_NOT_EXIST, "join_room")
	equal(WebSocketServer.leave_room(id, "red"), ERR_DOES_NOT_EXIST, "leave_room")
	equal(WebSocketServer.get_rooms(), {}, "get_rooms")


func test_messages_to_a_room_reach_its_members() -> void:
	var by_path := await _client_at("/room/red")
	var added := await _client_at()
	var other := await _client_at("/room/blue")
	equal(WebSocketServer.join_room(added[1], "red"), OK, "join_room")
	equal(WebSocketServer.join_room(added[1], "red"), OK, "join_room again")
	equal(WebSocketServer.get_rooms(), {"blue": 1, "red": 2}, "get_rooms")
	equal(WebSocketServer.send_to_room("red", "Grüße"), OK, "send_to_room")
	equal(WebSocketServer.send_binary_to_room("red", "bytes".to_utf8_buffer()), OK, "send_binary_to_room")
	equal(WebSocketServer.leave_room(added[1], "red"), OK, "leave_room")
	equal(WebSocketServer.leave_room(added[1], "red"), OK, "leave_room again")
	WebSocketServer.send_to_room("red", "for one")
	WebSocketServer.send_to_all("for all")
	for joined: Array in [by_path, added, other]:
		await until(func(): return "for all" in joined[0].received, "the last message arrives")
	equal(by_path[0].received, ["Grüße", "bytes", "for one", "for all"] as Array[String], "messages by the path")
	equal(added[0].received, ["Grüße", "bytes", "for all"] as Array[String], "messages to the one that was added")
	equal(other[0].received, ["for all"] as Array[String], "messages to the other room")
	equal(WebSocketServer.send_to_room("empty", "hello"), OK, "send to a room without members")


func test_get_rooms_follows_the_clients() -> void:
	var joined := await _client_at("/room/red")
	equal(WebSocketServer.join_room(joined[1], "_staff"), OK, "join a room that only the server lets join")
	equal(_rooms_of(joined[1]), PackedStringArray(["red", "_staff"]), "rooms of the client")
	WebSocketServer.leave_room(joined[1], "red")
	equal(WebSocketServer.get_rooms(), {"_staff": 1}, "get_rooms")
	joined[0].close()
	await until(func(): return WebSocketServer.get_rooms() == {}, "the room ends with its last client")


func test_invalid_names_are_errors() -> void:
	var id: int = (await _client_at())[1]
	for name: String in ["", "x".repeat(65), "ü".repeat(33)]:
		equal(WebSocketServer.join_room(id, name), ERR_INVALID_PARAMETER, "join_room(%s)" % name)
		equal(WebSocketServer.leave_room(id, name), ERR_INVALID_PARAMETER, "leave_room(%s)" % name)
		equal(WebSocketServer.send_to_room(name, ""), ERR_INVALID_PARAMETER, "send_to_room(%s)" % name)
		equal(WebSocketServer.send_binary_to_room(name, PackedByteArray()), ERR_INVALID_PARAMETER,
				"send_binary_to_room(%s)" % name)
	for name: String in ["x".repeat(64), "a/b", " ", "☕"]:
		equal(WebSocketServer.join_room(id, name), OK, "join_room(%s)" % name)
		check(name in _rooms_of(id), "the client is in " + name)


func test_paths_of_no_room_a_client_can_join_are_refused() -> void:
	await _client_at("/room")
	await _client_at("/rooms/red")
	for path: String in ["/room/", "/room/_staff", "/room/%5Fstaff", "/room/a/b", "/room/%FF", "/room/%C0%80",
			"/room/" + "x".repeat(65)]:
		var client := Client.new()
		add_child(client)
		client.open(server_url() + path)
		await until(client.is_closed, path + " is refused")
		if arguments.implementation == "fallback":
			# A response with 404 is not possible there.
			equal(client.peer.get_close_code(), 1008, "the close code of " + path)
			check("name" in client.peer.get_close_reason(), "the reason is " + client.peer.get_close_reason())
	equal(_joined.size(), 2, "the number of clients that joined")
	equal(WebSocketServer.get_rooms(), {}, "get_rooms")


func test_limits_are_errors() -> void:
	ProjectSettings.set_setting("halloo/max_rooms", 2)
	ProjectSettings.set_setting("halloo/max_rooms_per_client", 1)
	await start_server()
	var first: int = (await _client_at("/room/a"))[1]
	var second: int = (await _client_at("/room/b"))[1]
	equal(WebSocketServer.join_room(first, "b"), ERR_CANT_ACQUIRE_RESOURCE, "a second room of one client")
	equal(WebSocketServer.leave_room(second, "b"), OK, "leave_room")
	equal(WebSocketServer.join_room(second, "c"), OK, "another room")
	var third: int = (await _client_at())[1]
	equal(WebSocketServer.join_room(third, "d"), ERR_CANT_ACQUIRE_RESOURCE, "a third room")
	equal(WebSocketServer.join_room(third, "c"), OK, "a room that exists")
	var client := Client.new()
	add_child(client)
	client.open(server_url() + "/room/e")
	await until(client.is_closed, "a client that would open a third room is refused")
	equal(_joined.size(), 3, "the number of clients that joined")


func test_a_server_that_is_stopped_has_no_rooms() -> void:
	var id: int = (await _client_at("/room/red"))[1]
	WebSocketServer.stop_server()
	equal(WebSocketServer.get_client(id), {}, "get_client")
	equal(WebSocketServer.get_rooms(), {}, "get_rooms")
	equal(WebSocketServer.join_room(id, "red"), ERR_UNCONFIGURED, "join_room")
	equal(WebSocketServer.leave_room(id, "red"), ERR_UNCONFIGURED, "leave_room")
	equal(WebSocketServer.send_to_room("red", "hello"), ERR_UNCONFIGURED, "send_to_room")
	equal(WebSocketServer.send_binary_to_room("red", PackedByteArray()), ERR_UNCONFIGURED, "send_binary_to_room")
