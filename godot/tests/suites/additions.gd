extends "res://tests/suite.gd"
## Functions and signals that only the native library has.

## The emitted signals: a kind and the arguments.
var _emitted: Array[Array] = []


func applies_to(implementation: String) -> bool:
	return implementation == "native"


func before() -> void:
	await start_server()
	for signal_name: String in ["client_joined", "client_left", "message_received", "binary_received", "discovery_changed",
			"messages_dropped"]:
		WebSocketServer.instance.connect(signal_name, Callable(self, "_on_" + signal_name))


func after() -> void:
	ProjectSettings.set_setting("halloo/outbox_when_full", null)


func _on_client_joined(id: int) -> void:
	_emitted.append(["joined", id])


func _on_client_left(id: int, code: int, reason: String) -> void:
	_emitted.append(["left", id, code, reason])


func _on_message_received(id: int, text: String) -> void:
	_emitted.append(["text", id, text])


func _on_binary_received(id: int, bytes: PackedByteArray) -> void:
	_emitted.append(["binary", id, bytes])


func _on_discovery_changed(active: bool) -> void:
	_emitted.append(["discovery", active])


func _on_messages_dropped(id: int, count: int) -> void:
	_emitted.append(["dropped", id, count])


## Returns the arguments of all emitted signals of one kind.
func _events(kind: String) -> Array:
	return _emitted.filter(func(one): return one[0] == kind).map(func(one): return one.slice(1))


## Connects a client; returns it and its id.
func _joined() -> Array:
	var count := _events("joined").size()
	var client := await connected_client()
	await until(func(): return _events("joined").size() > count, "client_joined is emitted")
	return [client, _events("joined")[-1][0]]


func test_client_left_has_code_and_reason() -> void:
	var joined := await _joined()
	joined[0].peer.close(4001, "good night")
	await until(func(): return not _events("left").is_empty(), "client_left is emitted")
	equal(_events("left"), [[joined[1], 4001, "good night"]], "id, code and reason")


func test_messages_have_the_id_of_their_sender() -> void:
	var first := await _joined()
	var second := await _joined()
	first[0].send("one")
	await until(func(): return _events("text").size() == 1, "the first message arrives")
	second[0].send("")
	second[0].peer.send(PackedByteArray([0, 255]), WebSocketPeer.WRITE_MODE_BINARY)
	await until(func(): return _events("binary").size() == 1, "the second client's messages arrive")
	equal(_events("text"), [[first[1], "one"], [second[1], ""]], "texts")
	equal(_events("binary"), [[second[1], PackedByteArray([0, 255])]], "bytes")


func test_send_reaches_one_client_only() -> void:
	var first := await _joined()
	var second := await _joined()
	equal(WebSocketServer.send(first[1], "for one"), OK, "send")
	equal(WebSocketServer.send_binary(first[1], "bytes".to_utf8_buffer()), OK, "send_binary")
	equal(WebSocketServer.send_to_all("for all"), OK, "send_to_all")
	equal(WebSocketServer.send_binary_to_all("bytes for all".to_utf8_buffer()), OK, "send_binary_to_all")
	await until(func(): return first[0].received.size() == 4 and second[0].received.size() == 2, "all messages arrive")
	equal(first[0].received, ["for one", "bytes", "for all", "bytes for all"] as Array[String], "messages to the first client")
	equal(second[0].received, ["for all", "bytes for all"] as Array[String], "messages to the second client")
	check(not second[0].peer.was_string_packet(), "the last message was binary")


func test_send_to_an_unknown_client_is_an_error() -> void:
	var joined := await _joined()
	joined[0].close()
	await until(func(): return not _events("left").is_empty(), "client_left is emitted")
	for id: int in [joined[1], 0, -1, 1 << 40]:
		equal(WebSocketServer.send(id, "?"), ERR_DOES_NOT_EXIST, "send to %d" % id)


func test_disconnect_client_checks_and_sends_code_and_reason() -> void:
	var joined := await _joined()
	for invalid: Array in [[999, ""], [1001, ""], [70_000, ""], [4000, "x".repeat(124)]]:
		equal(WebSocketServer.disconnect_client(joined[1], invalid[0], invalid[1]), ERR_INVALID_PARAMETER, str(invalid))
	equal(WebSocketServer.disconnect_client(joined[1], 4000, "out"), OK, "disconnect_client")
	await until(joined[0].is_closed, "the connection is closed")
	equal([joined[0].peer.get_close_code(), joined[0].peer.get_close_reason()], [4000, "out"], "code and reason")
	await until(func(): return not _events("left").is_empty(), "client_left is emitted")


func test_messages_received_batches_the_texts_of_a_frame() -> void:
	var batches: Array[Array] = []
	var on_batch := func(ids: PackedInt64Array, texts: PackedStringArray) -> void: batches.append([ids, texts])
	WebSocketServer.instance.messages_received.connect(on_batch)
	var joined := await _joined()
	var texts := PackedStringArray()
	for i in 500:
		texts.append("message %d" % i)
		joined[0].send(texts[i])
	await until(func(): return _events("text").size() == 500, "all messages arrive one by one")
	WebSocketServer.instance.messages_received.disconnect(on_batch)
	var all := PackedStringArray()
	for batch in batches:
		equal(batch[0].size(), batch[1].size(), "number of senders and of texts")
		check(batch[0].count(joined[1]) == batch[0].size(), "the sender of each message")
		all.append_array(batch[1])
	equal(all, texts, "the batches have all messages in order")
	check(batches.size() < 500, "fewer calls than messages: %d" % batches.size())


func test_batches_and_events_are_emitted_in_order() -> void:
	var order: Array[String] = []
	var on_batch := func(_ids: PackedInt64Array, texts: PackedStringArray) -> void: order.append_array(Array(texts))
	var on_left := func(_id: int, _code: int, _reason: String) -> void: order.append("left")
	var joined := await _joined()
	WebSocketServer.instance.messages_received.connect(on_batch)
	WebSocketServer.instance.client_left.connect(on_left)
	joined[0].send("last words")
	joined[0].close()
	# Both events are waiting when the next frame begins.
	joined[0].peer.poll()
	OS.delay_msec(200)
	await until(func(): return order.size() == 2, "both are emitted")
	WebSocketServer.instance.messages_received.disconnect(on_batch)
	WebSocketServer.instance.client_left.disconnect(on_left)
	equal(order, ["last words", "left"] as Array[String], "order")


## A signal that had no connections before must still be emitted for the following message.
func test_a_handler_can_await_another_signal() -> void:
	WebSocketServer.instance.message_received.disconnect(_on_message_received)
	var responses: Array[String] = []
	var ask := func(_data: String) -> void:
		var response: Array = await WebSocketServer.instance.message_received
		responses.append(response[1])
	WebSocketServer.instance.model_data_received.connect(ask, CONNECT_ONE_SHOT)
	var joined := await _joined()
	joined[0].send("question")
	joined[0].send("response")
	joined[0].peer.poll()
	OS.delay_msec(200)
	await until(func(): return not responses.is_empty(), "the handler resumes")
	check(responses[0] in ["question", "response"], "awaited message: %s" % [responses])


func test_discovery_changed_follows_clients_and_stop() -> void:
	_emitted.clear()
	var joined := await _joined()
	await until(func(): return [false] in _events("discovery"), "discovery pauses")
	joined[0].close()
	await until(func(): return _events("discovery")[-1] == [true], "discovery resumes")
	WebSocketServer.stop_service_discovery()
	await until(func(): return _events("discovery")[-1] == [false], "discovery stops")


func test_drop_oldest_reports_dropped_messages() -> void:
	ProjectSettings.set_setting("halloo/outbox_when_full", "drop_oldest")
	await start_server()
	var slow := StreamPeerTCP.new()
	slow.connect_to_host("127.0.0.1", WebSocketServer.get_server_status().server_port)
	await until(func(): slow.poll(); return slow.get_status() == StreamPeerTCP.STATUS_CONNECTED, "TCP connects")
	slow.put_data(("GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
			+ "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n").to_ascii_buffer())
	await until(func(): return not _events("joined").is_empty(), "client_joined is emitted")
	# It reads nothing, so the socket buffers fill up, and then its outbox.
	var large := "x".repeat(65_536)
	for i in 500:
		WebSocketServer.send_to_all(large)
	await until(func(): return not _events("dropped").is_empty(), "messages_dropped is emitted")
	equal(_events("dropped")[0][0], _events("joined")[0][0], "the id of the slow client")
	check(_events("dropped")[0][1] > 0, "the number of messages")
	equal(_events("left"), [], "no client is disconnected")
	check(WebSocketServer.get_server_status().halloo.messages_dropped > 0, "the drop is counted")


func test_get_clients_describes_each_client() -> void:
	var joined := await _joined()
	var clients: Array[Dictionary] = WebSocketServer.get_clients()
	equal(clients.size(), 1, "clients")
	equal(clients[0].keys(), ["id", "address", "latency_ms", "waiting", "dropped"], "keys")
	equal(clients[0].id, joined[1], "id")
	check(clients[0].address.begins_with("127.0.0.1:"), "address: " + clients[0].address)
	joined[0].close()
	await until(func(): return WebSocketServer.get_clients().is_empty(), "there are no clients left")


func test_get_urls_and_get_qr_texture() -> void:
	var port: int = WebSocketServer.get_server_status().server_port
	var urls: PackedStringArray = WebSocketServer.get_urls()
	equal(urls[0], "ws://127.0.0.1:%d" % port, "the loopback address is first")
	equal(urls[1], "ws://%s:%d" % [WebSocketServer.get_server_status().local_ip, port], "then the best one for other machines")
	var texture: ImageTexture = WebSocketServer.get_qr_texture()
	check(texture.get_width() == texture.get_height() and texture.get_width() >= 256, "size: %s" % texture.get_size())
	check(WebSocketServer.get_qr_texture("other", 50).get_width() >= 50, "size of another code")
	equal(WebSocketServer.get_qr_texture("x".repeat(10_000)), null, "a text that is too long for a code")
	WebSocketServer.stop_server()
	equal(WebSocketServer.get_urls(), PackedStringArray(), "URLs of a stopped server")
	equal(WebSocketServer.get_qr_texture(), null, "QR code of a stopped server")


func test_sending_from_a_stopped_server_is_an_error() -> void:
	WebSocketServer.stop_server()
	equal(WebSocketServer.send_to_all("?"), ERR_UNCONFIGURED, "send_to_all")
	equal(WebSocketServer.send(1, "?"), ERR_UNCONFIGURED, "send")
	equal(WebSocketServer.disconnect_client(1), ERR_UNCONFIGURED, "disconnect_client")
	equal(WebSocketServer.get_clients().size(), 0, "clients")


func test_the_debugger_has_monitors() -> void:
	for monitor in ["clients", "messages in per second", "messages out per second", "events waiting", "messages dropped"]:
		check(Performance.has_custom_monitor("halloo/" + monitor), "there is a monitor " + monitor)
	await _joined()
	equal(int(Performance.get_custom_monitor("halloo/clients")), 1, "clients")
	equal(int(Performance.get_custom_monitor("halloo/events waiting")), 0, "events waiting")
