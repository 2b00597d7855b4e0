extends "res://tests/suite.gd"
## What clients send arrives as text, and what is sent to all arrives at all whose connection is open.

var _heard: Array[String] = []


func before() -> void:
	await started()
	WebSocketServer.connect_to_signal(self, "_hear")


func _hear(data: String) -> void:
	_heard.append(data)


func test_text_arrives_as_it_was_sent() -> void:
	var client := await connected_client()
	var texts: Array[String] = ["", "{\"x\": 0.5}", "Grüße, 日本, 🎮", "x".repeat(20_000), "line\nand line"]
	for text in texts:
		client.send(text)
	await until(func(): return _heard.size() == texts.size(), "all arrive")
	equal(_heard, texts, "what arrived")


func test_binary_arrives_as_text() -> void:
	var client := await connected_client()
	client.peer.send("Grüße".to_utf8_buffer(), WebSocketPeer.WRITE_MODE_BINARY)
	await until(func(): return not _heard.is_empty(), "it arrives")
	equal(_heard, ["Grüße"] as Array[String], "what arrived")


func test_all_are_sent_to() -> void:
	var clients := [await connected_client(), await connected_client(), await connected_client()]
	for text in ["one", "Grüße, 日本, 🎮", ""]:
		WebSocketServer.send_to_all(text)
	for client: Client in clients:
		await until(func(): return client.received.size() == 3, "a client receives all")
		equal(client.received, ["one", "Grüße, 日本, 🎮", ""] as Array[String], "what it received")
		check(client.peer.was_string_packet(), "as text")


func test_only_open_clients_are_sent_to() -> void:
	var open := await connected_client()
	var leaving := await connected_client()
	var silent := StreamPeerTCP.new()
	silent.connect_to_host("127.0.0.1", WebSocketServer.get_server_status().server_port)
	await until(func(): silent.poll(); return silent.get_status() == StreamPeerTCP.STATUS_CONNECTED, "TCP connects")
	await seconds(0.2)
	leaving.close()
	WebSocketServer.send_to_all("for those who are here")
	await until(func(): return open.received.size() == 1, "the open one receives it")
	await until(leaving.is_closed, "the leaving one is gone")
	WebSocketServer.send_to_all("for the one")
	await until(func(): return open.received.size() == 2, "the open one receives the next")
	silent.poll()
	equal(silent.get_available_bytes(), 0, "bytes to one without a handshake")
	equal(WebSocketServer.get_server_status().connected_clients, 1, "clients")


func test_sending_to_nobody_is_harmless() -> void:
	WebSocketServer.send_to_all("anybody?")
	equal(WebSocketServer.get_server_status().connected_clients, 0, "clients")


func test_a_handler_may_answer_and_stop() -> void:
	var client := await connected_client()
	await connected_client()
	WebSocketServer.instance.model_data_received.connect(
			func(data: String):
				WebSocketServer.send_to_all("heard " + data)
				WebSocketServer.stop_server(),
			CONNECT_ONE_SHOT)
	client.send("stop")
	await until(client.is_closed, "the server closes the connection")
	equal(WebSocketServer.get_server_status().server_running, false, "running")
