extends "res://tests/suite.gd"
## HallooClient, which connects to a server and reconnects.

var _server_name: String = ProjectSettings.get_setting("application/config/name")


func applies_to(implementation: String) -> bool:
	return implementation == "native"


## Creates a client, by the name of its class because the fallback's project does not have it, and records its signals.
func _new_client(emitted: Array[Array]) -> Node:
	return record(ClassDB.instantiate(&"HallooClient"), ClassDB.class_get_signal_list(&"HallooClient", true), emitted)


func _connected(target: String, emitted: Array[Array]) -> Node:
	var client := _new_client(emitted)
	client.target = target
	add_child(client)
	await until(func(): return not arguments_of(emitted, "connected").is_empty(), "connected to '%s'" % target)
	return client


func test_client_connects_by_nothing_name_or_address() -> void:
	for target: String in ["", _server_name, server_url()]:
		var emitted: Array[Array] = []
		var client := await _connected(target, emitted)
		check(client.get_url().ends_with(":8765"), "url: " + client.get_url())
		client.free()
		await until(func(): return WebSocketServer.get_server_status().connected_clients == 0, "the client has left")


func test_client_and_server_exchange_messages() -> void:
	var emitted: Array[Array] = []
	var client := await _connected(server_url(), emitted)
	var texts: Array[String] = []
	var bytes: Array[PackedByteArray] = []
	var on_text := func(_id: int, text: String) -> void: texts.append(text)
	var on_bytes := func(_id: int, data: PackedByteArray) -> void: bytes.append(data)
	WebSocketServer.instance.message_received.connect(on_text)
	WebSocketServer.instance.binary_received.connect(on_bytes)
	equal(client.send("Grüße"), OK, "send")
	equal(client.send_binary(PackedByteArray([0, 255])), OK, "send_binary")
	await until(func(): return texts.size() == 1 and bytes.size() == 1, "the server receives both messages")
	WebSocketServer.instance.message_received.disconnect(on_text)
	WebSocketServer.instance.binary_received.disconnect(on_bytes)
	equal([texts[0], bytes[0]], ["Grüße", PackedByteArray([0, 255])], "messages received by the server")
	WebSocketServer.send_to_all("hello")
	WebSocketServer.send_binary_to_all(PackedByteArray([1]))
	await until(func(): return not arguments_of(emitted, "binary_received").is_empty(), "the client receives both messages")
	equal(arguments_of(emitted, "message_received"), [["hello"]], "text message")
	equal(arguments_of(emitted, "binary_received"), [[PackedByteArray([1])]], "binary message")


func test_client_follows_a_restarted_server_and_sends_queued_messages() -> void:
	var emitted: Array[Array] = []
	var client := await _connected(_server_name, emitted)
	WebSocketServer.stop_server()
	await until(func(): return not arguments_of(emitted, "disconnected").is_empty(), "disconnected is emitted")
	equal(arguments_of(emitted, "disconnected")[0][0], 1001, "close code")
	check(arguments_of(emitted, "disconnected")[0][2] >= 0.0, "time until the next attempt")
	equal(client.get_url(), "", "url")
	equal(client.send("queued"), OK, "send while disconnected")
	var received: Array[String] = []
	var on_text := func(text: String) -> void: received.append(text)
	WebSocketServer.instance.model_data_received.connect(on_text)
	await start_server_on(9300)
	await until(func(): return arguments_of(emitted, "connected").size() == 2, "the client reconnects", 30.0)
	await until(func(): return received == (["queued"] as Array[String]), "the queued message arrives")
	WebSocketServer.instance.model_data_received.disconnect(on_text)


func start_server_on(port: int) -> void:
	equal(WebSocketServer.start_server(port), OK, "the server starts on port %d" % port)


func test_client_does_not_reconnect_after_close() -> void:
	var emitted: Array[Array] = []
	var client := await _connected(server_url(), emitted)
	equal(client.close(999), ERR_INVALID_PARAMETER, "close with an invalid code")
	equal(client.close(4001, "good night"), OK, "close")
	await until(func(): return not arguments_of(emitted, "disconnected").is_empty(), "disconnected is emitted")
	equal(arguments_of(emitted, "disconnected"), [[4001, "good night", -1.0]], "code, reason and no further attempt")
	await until(func(): return client.send("?") == ERR_UNCONFIGURED, "send fails after the close")


func test_client_reports_failed_attempts() -> void:
	WebSocketServer.stop_server()
	var emitted: Array[Array] = []
	var client := _new_client(emitted)
	client.target = "ws://127.0.0.1:9"
	add_child(client)
	await until(func(): return not arguments_of(emitted, "attempt_failed").is_empty(), "attempt_failed is emitted")
	check(arguments_of(emitted, "attempt_failed")[0][1] > 0.0, "time until the next attempt")
	equal(client.connect_to_server("ftp://x"), ERR_INVALID_PARAMETER, "invalid address")


func test_a_handler_can_free_the_client() -> void:
	var emitted: Array[Array] = []
	var client := await _connected(server_url(), emitted)
	client.message_received.connect(func(_text: String): client.queue_free())
	for i in 100:
		WebSocketServer.send_to_all("free me")
	await until(func(): return not is_instance_valid(client), "the client is freed")


func test_a_handler_can_free_the_parent_of_the_client() -> void:
	var emitted: Array[Array] = []
	var client := await _connected(server_url(), emitted)
	var parent := Node.new()
	add_child(parent)
	# Leaving the tree closes the connection, and entering it connects again.
	client.reparent(parent)
	client.message_received.connect(func(_text: String): parent.free())
	await until(func(): return arguments_of(emitted, "connected").size() == 2, "the client connects again")
	await until(func(): return WebSocketServer.get_server_status().connected_clients == 1, "only the second connection is left")
	for i in 100:
		WebSocketServer.send_to_all("free me")
	await until(func(): return not is_instance_valid(client), "the client is freed")
	await until(func(): return WebSocketServer.get_server_status().connected_clients == 0, "the client has left")
