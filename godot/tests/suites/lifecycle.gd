extends "res://tests/suite.gd"
## Restarts, several servers, and handlers that stop or free the server that calls them.

const Server := preload("res://addons/halloo/websocket_server.gd")


func applies_to(implementation: String) -> bool:
	return implementation == "native"


func after() -> void:
	get_tree().paused = false
	ProjectSettings.set_setting("halloo/token", null)
	WebSocketServer.serve_files("")
	WebSocketServer.instance._folder = null


func test_the_last_server_in_the_tree_is_the_instance() -> void:
	var first: Node = WebSocketServer.instance
	var second := Server.new()
	add_child(second)
	equal(WebSocketServer.instance, second, "instance is the second server")
	equal(WebSocketServer.get_server_status().server_port, 8766, "port of the second server")
	var client := await connected_client()
	var received: Array[String] = []
	second.model_data_received.connect(received.append)
	client.send("to the second")
	await until(func(): return not received.is_empty(), "the second server receives the message")
	second.free()
	await until(client.is_closed, "the connection is closed")
	equal(WebSocketServer.instance, first, "instance is the first server again")
	equal(WebSocketServer.get_server_status().server_port, 8765, "port of the first server")
	await connected_client()


func test_ids_continue_after_a_restart() -> void:
	var joined: Array[int] = []
	var on_joined := func(id: int) -> void: joined.append(id)
	WebSocketServer.instance.client_joined.connect(on_joined)
	for i in 3:
		await connected_client()
		await until(func(): return joined.size() == i + 1, "client_joined is emitted")
		await start_server()
	WebSocketServer.instance.client_joined.disconnect(on_joined)
	equal(joined, [joined[0], joined[0] + 1, joined[0] + 2] as Array[int], "ids")


func test_stop_server_emits_client_left() -> void:
	var left: Array[Array] = []
	var on_left := func(id: int, code: int, _reason: String) -> void: left.append([id, code])
	WebSocketServer.instance.client_left.connect(on_left)
	await connected_client()
	WebSocketServer.stop_server()
	WebSocketServer.instance.client_left.disconnect(on_left)
	equal(left.size(), 1, "client_left was emitted when stop_server() returns")
	equal(left[0][1], 1001, "close code")
	WebSocketServer.stop_server()


func test_client_left_handlers_can_remove_pads_while_the_server_stops() -> void:
	for stop: Callable in _calls_that_stop():
		await start_server()
		var pads := HallooPads.new()
		add_child(pads)
		await _handle_client_left(stop, func(): pads.free())
		equal(WebSocketServer.instance._server.is_pad_shown(), false, "the page is the pad")


func test_client_left_handlers_can_serve_files_while_the_server_stops() -> void:
	for stop: Callable in _calls_that_stop():
		await start_server()
		equal(await _handle_client_left(stop, WebSocketServer.serve_files.bind("res://tests/controller")), OK, "serve_files")


func test_client_left_handlers_can_start_the_server_while_it_stops() -> void:
	for stop: Callable in _calls_that_stop():
		await start_server()
		var start := func() -> Error:
			ProjectSettings.set_setting("halloo/token", null)
			return WebSocketServer.start_server(8765)
		equal(await _handle_client_left(stop, start), OK, "start_server")
		equal(WebSocketServer.get_server_status().server_running, true, "server_running")


## Returns the calls that emit client_left themselves, for the clients that they disconnect.
func _calls_that_stop() -> Array[Callable]:
	var start_with_invalid_token := func() -> void:
		ProjectSettings.set_setting("halloo/token", "short")
		WebSocketServer.start_server(8765)
		ProjectSettings.set_setting("halloo/token", null)
	return [WebSocketServer.stop_server, WebSocketServer.start_server.bind(8765), start_with_invalid_token]


## Connects a client and calls [param stop]. Returns what [param handler] of client_left returned.
func _handle_client_left(stop: Callable, handler: Callable) -> Variant:
	await connected_client()
	var results: Array = []
	var on_left := func(_id: int, _code: int, _reason: String) -> void: results.append(handler.call())
	WebSocketServer.instance.client_left.connect(on_left, CONNECT_ONE_SHOT)
	stop.call()
	equal(results.size(), 1, "the handlers that have returned")
	return results.pop_back()


func test_a_handler_can_restart_the_server() -> void:
	var client := await connected_client()
	var restart := func(_data: String) -> void: WebSocketServer.start_server(8765)
	WebSocketServer.instance.model_data_received.connect(restart, CONNECT_ONE_SHOT)
	for i in 100:
		client.send("again")
	await until(client.is_closed, "the old connection is closed")
	await connected_client()


func test_a_handler_can_free_the_server() -> void:
	var second := Server.new()
	add_child(second)
	var client := await connected_client()
	var received: Array[String] = []
	second.model_data_received.connect(func(data: String):
		received.append(data)
		second.queue_free())
	for i in 1000:
		client.send("free me")
	await until(func(): return not is_instance_valid(second), "the server is freed")
	await until(client.is_closed, "the connection is closed")
	check(not received.is_empty(), "a message was received")


## The parent is freed at once. The engine refuses this only for the object that emits the signal.
func test_a_handler_can_free_the_parent_of_the_server() -> void:
	var parent := Node.new()
	add_child(parent)
	var second := Server.new()
	parent.add_child(second)
	var client := await connected_client()
	second.model_data_received.connect(func(_data: String): parent.free())
	for i in 100:
		client.send("free me")
	await until(client.is_closed, "the connection is closed")
	check(not is_instance_valid(second), "the server is freed")


func test_a_handler_can_remove_the_server_from_the_tree() -> void:
	var second := Server.new()
	add_child(second)
	var client := await connected_client()
	second.model_data_received.connect(func(_data: String):
		if second.is_inside_tree():
			remove_child(second))
	for i in 100:
		client.send("out")
	await until(func(): return not second.is_inside_tree(), "the server is outside the tree")
	await until(client.is_closed, "the connection is closed")
	second.free()


func test_messages_are_handled_while_the_game_is_paused() -> void:
	var client := await connected_client()
	client.process_mode = PROCESS_MODE_ALWAYS
	var echo := func(data: String) -> void: WebSocketServer.send_to_all(data)
	WebSocketServer.instance.model_data_received.connect(echo)
	get_tree().paused = true
	client.send("are you there?")
	await until(func(): return not client.received.is_empty(), "a response arrives")
	WebSocketServer.instance.model_data_received.disconnect(echo)


## The main thread is blocked until a client has connected.
func test_clients_connect_while_the_game_is_busy() -> void:
	var port: int = WebSocketServer.get_server_status().server_port
	var connecting := Thread.new()
	connecting.start(_connect_to.bind(port))
	block_until(func(): return not connecting.is_alive(), "the handshake completes while the main thread is blocked")
	equal(connecting.wait_to_finish(), true, "the client is connected")
	await until(func(): return WebSocketServer.get_server_status().connected_clients == 0, "the client has left")


## Runs on a thread.
func _connect_to(port: int) -> bool:
	var client := WebSocketPeer.new()
	client.connect_to_url("ws://127.0.0.1:%d" % port)
	while client.get_ready_state() == WebSocketPeer.STATE_CONNECTING:
		client.poll()
		OS.delay_msec(1)
	return client.get_ready_state() == WebSocketPeer.STATE_OPEN
