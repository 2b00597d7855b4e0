extends "res://tests/suite.gd"
## Starting again, several servers, and handlers that take away what they are called from.

const Server := preload("res://addons/halloo/websocket_server.gd")


func wants(implementation: String) -> bool:
	return implementation == "native"


func after() -> void:
	get_tree().paused = false


func test_two_servers() -> void:
	var first: Node = WebSocketServer.instance
	var second := Server.new()
	add_child(second)
	equal(WebSocketServer.instance, second, "the last one is the singleton")
	equal(WebSocketServer.get_server_status().server_port, 8766, "it has the next port")
	var client := await connected_client()
	var heard: Array[String] = []
	second.model_data_received.connect(heard.append)
	client.send("to the second")
	await until(func(): return not heard.is_empty(), "the second hears its client")
	second.free()
	await until(client.is_closed, "its client is closed")
	equal(WebSocketServer.instance, first, "the first is the singleton again")
	equal(WebSocketServer.get_server_status().server_port, 8765, "port")
	await connected_client()


func test_numbers_go_on_after_a_restart() -> void:
	var joined: Array[int] = []
	var on_joined := func(id: int) -> void: joined.append(id)
	WebSocketServer.instance.client_joined.connect(on_joined)
	for i in 3:
		await connected_client()
		await until(func(): return joined.size() == i + 1, "the join is told")
		await started()
	WebSocketServer.instance.client_joined.disconnect(on_joined)
	equal(joined, [joined[0], joined[0] + 1, joined[0] + 2] as Array[int], "numbers")


func test_a_stop_tells_who_left() -> void:
	var left: Array[Array] = []
	var on_left := func(id: int, code: int, _reason: String) -> void: left.append([id, code])
	WebSocketServer.instance.client_left.connect(on_left)
	await connected_client()
	WebSocketServer.stop_server()
	WebSocketServer.instance.client_left.disconnect(on_left)
	equal(left.size(), 1, "told when stop_server() returns")
	equal(left[0][1], 1001, "code")
	WebSocketServer.stop_server()


func test_a_handler_may_start_anew() -> void:
	var client := await connected_client()
	var restart := func(_data: String) -> void: WebSocketServer.start_server(8765)
	WebSocketServer.instance.model_data_received.connect(restart, CONNECT_ONE_SHOT)
	for i in 100:
		client.send("again")
	await until(client.is_closed, "the old connection is closed")
	await connected_client()


func test_a_handler_may_free_the_server() -> void:
	var second := Server.new()
	add_child(second)
	var client := await connected_client()
	var heard: Array[String] = []
	second.model_data_received.connect(func(data: String):
		heard.append(data)
		second.queue_free())
	for i in 1000:
		client.send("free me")
	await until(func(): return not is_instance_valid(second), "it is freed")
	await until(client.is_closed, "its client is closed")
	check(not heard.is_empty(), "it was heard")


## Freed at once, with what it hangs below; the engine itself refuses that only for the one that emits.
func test_a_handler_may_free_what_holds_the_server() -> void:
	var holder := Node.new()
	add_child(holder)
	var second := Server.new()
	holder.add_child(second)
	var client := await connected_client()
	second.model_data_received.connect(func(_data: String): holder.free())
	for i in 100:
		client.send("free me")
	await until(client.is_closed, "its client is closed")
	check(not is_instance_valid(second), "it is freed")


func test_a_handler_may_take_the_server_out_of_the_tree() -> void:
	var second := Server.new()
	add_child(second)
	var client := await connected_client()
	second.model_data_received.connect(func(_data: String):
		if second.is_inside_tree():
			remove_child(second))
	for i in 100:
		client.send("out")
	await until(func(): return not second.is_inside_tree(), "it is out")
	await until(client.is_closed, "its client is closed")
	second.free()


func test_a_paused_game_goes_on_answering() -> void:
	var client := await connected_client()
	client.process_mode = PROCESS_MODE_ALWAYS
	var echo := func(data: String) -> void: WebSocketServer.send_to_all(data)
	WebSocketServer.instance.model_data_received.connect(echo)
	get_tree().paused = true
	client.send("are you there?")
	await until(func(): return not client.received.is_empty(), "an answer")
	WebSocketServer.instance.model_data_received.disconnect(echo)


## The main thread does nothing for two seconds, and a client is let in meanwhile.
func test_clients_are_let_in_while_the_game_is_busy() -> void:
	var port: int = WebSocketServer.get_server_status().server_port
	var connecting := Thread.new()
	connecting.start(_connect_to.bind(port))
	OS.delay_msec(2000)
	check(not connecting.is_alive(), "the client has its answer before the main thread goes on")
	equal(connecting.wait_to_finish(), true, "it is let in")
	await until(func(): return WebSocketServer.get_server_status().connected_clients == 0, "it has left")


## Runs on a thread.
func _connect_to(port: int) -> bool:
	var client := WebSocketPeer.new()
	client.connect_to_url("ws://127.0.0.1:%d" % port)
	while client.get_ready_state() == WebSocketPeer.STATE_CONNECTING:
		client.poll()
		OS.delay_msec(1)
	return client.get_ready_state() == WebSocketPeer.STATE_OPEN
