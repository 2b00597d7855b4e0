extends "res://tests/suite.gd"
## Messages from clients arrive as text, and messages to all clients reach each client whose connection is open.

var _received: Array[String] = []


func before() -> void:
	await start_server()
	WebSocketServer.connect_to_signal(self, "_on_data")


func _on_data(data: String) -> void:
	_received.append(data)


func test_text_arrives_unchanged() -> void:
	var client := await connected_client()
	var texts: Array[String] = ["", "{\"x\": 0.5}", "Grüße, 日本, 🎮", "x".repeat(20_000), "line\nand line"]
	for text in texts:
		client.send(text)
	await until(func(): return _received.size() == texts.size(), "all messages arrive")
	equal(_received, texts, "received messages")


func test_binary_arrives_as_text() -> void:
	var client := await connected_client()
	client.peer.send("Grüße".to_utf8_buffer(), WebSocketPeer.WRITE_MODE_BINARY)
	await until(func(): return not _received.is_empty(), "the message arrives")
	equal(_received, ["Grüße"] as Array[String], "received messages")


func test_send_to_all_reaches_all_clients() -> void:
	var clients := [await connected_client(), await connected_client(), await connected_client()]
	for text in ["one", "Grüße, 日本, 🎮", ""]:
		WebSocketServer.send_to_all(text)
	for client: Client in clients:
		await until(func(): return client.received.size() == 3, "a client receives all messages")
		equal(client.received, ["one", "Grüße, 日本, 🎮", ""] as Array[String], "messages received by a client")
		check(client.peer.was_string_packet(), "the last message was text")


func test_send_to_all_reaches_only_open_clients() -> void:
	var open := await connected_client()
	var leaving := await connected_client()
	var silent := StreamPeerTCP.new()
	silent.connect_to_host("127.0.0.1", WebSocketServer.get_server_status().server_port)
	await until(func(): silent.poll(); return silent.get_status() == StreamPeerTCP.STATUS_CONNECTED, "TCP connects")
	await seconds(0.2)
	leaving.close()
	WebSocketServer.send_to_all("for the open clients")
	await until(func(): return open.received.size() == 1, "the open client receives the message")
	await until(leaving.is_closed, "the leaving client is closed")
	WebSocketServer.send_to_all("for the remaining client")
	await until(func(): return open.received.size() == 2, "the open client receives the next message")
	silent.poll()
	equal(silent.get_available_bytes(), 0, "bytes to a connection without a handshake")
	equal(WebSocketServer.get_server_status().connected_clients, 1, "clients")


func test_send_to_all_without_clients_has_no_effect() -> void:
	WebSocketServer.send_to_all("hello")
	equal(WebSocketServer.get_server_status().connected_clients, 0, "clients")


func test_a_handler_can_send_and_stop_the_server() -> void:
	var client := await connected_client()
	await connected_client()
	WebSocketServer.instance.model_data_received.connect(
			func(data: String):
				WebSocketServer.send_to_all("received " + data)
				WebSocketServer.stop_server(),
			CONNECT_ONE_SHOT)
	client.send("stop")
	await until(client.is_closed, "the server closes the connection")
	equal(WebSocketServer.get_server_status().server_running, false, "running")
