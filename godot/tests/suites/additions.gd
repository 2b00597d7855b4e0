extends "res://tests/suite.gd"
## What the native library does beyond the contract.

var _told: Array[Array] = []


func wants(implementation: String) -> bool:
	return implementation == "native"


func before() -> void:
	await started()
	for told: String in ["client_joined", "client_left", "message_received", "binary_received", "discovery_changed",
			"messages_dropped"]:
		WebSocketServer.instance.connect(told, Callable(self, "_on_" + told))


func after() -> void:
	ProjectSettings.set_setting("halloo/outbox_when_full", null)


func _on_client_joined(id: int) -> void:
	_told.append(["joined", id])


func _on_client_left(id: int, code: int, reason: String) -> void:
	_told.append(["left", id, code, reason])


func _on_message_received(id: int, text: String) -> void:
	_told.append(["text", id, text])


func _on_binary_received(id: int, bytes: PackedByteArray) -> void:
	_told.append(["binary", id, bytes])


func _on_discovery_changed(active: bool) -> void:
	_told.append(["discovery", active])


func _on_messages_dropped(id: int, count: int) -> void:
	_told.append(["dropped", id, count])


## Everything of one kind that was told, without its kind.
func _heard(kind: String) -> Array:
	return _told.filter(func(one): return one[0] == kind).map(func(one): return one.slice(1))


## A client and its number.
func _joined() -> Array:
	var before_it := _heard("joined").size()
	var client := await connected_client()
	await until(func(): return _heard("joined").size() > before_it, "the join is told")
	return [client, _heard("joined")[-1][0]]


func test_who_left_and_why() -> void:
	var joined := await _joined()
	joined[0].peer.close(4001, "good night")
	await until(func(): return not _heard("left").is_empty(), "the leaving is told")
	equal(_heard("left"), [[joined[1], 4001, "good night"]], "who, which code, which reason")


func test_messages_have_senders() -> void:
	var first := await _joined()
	var second := await _joined()
	first[0].send("one")
	await until(func(): return _heard("text").size() == 1, "the first is heard")
	second[0].send("")
	second[0].peer.send(PackedByteArray([0, 255]), WebSocketPeer.WRITE_MODE_BINARY)
	await until(func(): return _heard("binary").size() == 1, "the second is heard")
	equal(_heard("text"), [[first[1], "one"], [second[1], ""]], "texts")
	equal(_heard("binary"), [[second[1], PackedByteArray([0, 255])]], "bytes")


func test_one_can_be_sent_to() -> void:
	var first := await _joined()
	var second := await _joined()
	equal(WebSocketServer.send(first[1], "for you"), OK, "send")
	equal(WebSocketServer.send_binary(first[1], "bytes".to_utf8_buffer()), OK, "send_binary")
	equal(WebSocketServer.send_to_all("for all"), OK, "send_to_all")
	equal(WebSocketServer.send_binary_to_all("bytes for all".to_utf8_buffer()), OK, "send_binary_to_all")
	await until(func(): return first[0].received.size() == 4 and second[0].received.size() == 2, "all arrives")
	equal(first[0].received, ["for you", "bytes", "for all", "bytes for all"] as Array[String], "the first")
	equal(second[0].received, ["for all", "bytes for all"] as Array[String], "the second")
	check(not second[0].peer.was_string_packet(), "the last was binary")


func test_one_who_left_cannot_be_sent_to() -> void:
	var joined := await _joined()
	joined[0].close()
	await until(func(): return not _heard("left").is_empty(), "it leaves")
	for nobody: int in [joined[1], 0, -1, 1 << 40]:
		equal(WebSocketServer.send(nobody, "?"), ERR_DOES_NOT_EXIST, "send to %d" % nobody)


func test_one_can_be_disconnected() -> void:
	var joined := await _joined()
	for wrong: Array in [[999, ""], [1001, ""], [70_000, ""], [4000, "x".repeat(124)]]:
		equal(WebSocketServer.disconnect_client(joined[1], wrong[0], wrong[1]), ERR_INVALID_PARAMETER, str(wrong))
	equal(WebSocketServer.disconnect_client(joined[1], 4000, "out"), OK, "disconnect_client")
	await until(joined[0].is_closed, "it is closed")
	equal([joined[0].peer.get_close_code(), joined[0].peer.get_close_reason()], [4000, "out"], "code and reason")
	await until(func(): return not _heard("left").is_empty(), "the leaving is told")


func test_a_batch_for_each_frame() -> void:
	var batches: Array[Array] = []
	var batched := func(ids: PackedInt64Array, texts: PackedStringArray) -> void: batches.append([ids, texts])
	WebSocketServer.instance.messages_received.connect(batched)
	var joined := await _joined()
	var texts := PackedStringArray()
	for i in 500:
		texts.append("message %d" % i)
		joined[0].send(texts[i])
	await until(func(): return _heard("text").size() == 500, "all arrive one by one")
	WebSocketServer.instance.messages_received.disconnect(batched)
	var all := PackedStringArray()
	for batch in batches:
		equal(batch[0].size(), batch[1].size(), "as many senders as texts")
		check(batch[0].count(joined[1]) == batch[0].size(), "the sender of each")
		all.append_array(batch[1])
	equal(all, texts, "the same in batches, in order")
	check(batches.size() < 500, "fewer calls than messages: %d" % batches.size())


func test_what_came_before_is_told_before() -> void:
	var order: Array[String] = []
	var batched := func(_ids: PackedInt64Array, texts: PackedStringArray) -> void: order.append_array(Array(texts))
	var left := func(_id: int, _code: int, _reason: String) -> void: order.append("left")
	var joined := await _joined()
	WebSocketServer.instance.messages_received.connect(batched)
	WebSocketServer.instance.client_left.connect(left)
	joined[0].send("last words")
	joined[0].close()
	# Both wait when the next frame begins.
	joined[0].peer.poll()
	OS.delay_msec(200)
	await until(func(): return order.size() == 2, "both are told")
	WebSocketServer.instance.messages_received.disconnect(batched)
	WebSocketServer.instance.client_left.disconnect(left)
	equal(order, ["last words", "left"] as Array[String], "order")


## A handler that waits for the answer to a question must not miss it because nobody listened to that signal before.
func test_a_signal_awaited_in_a_handler() -> void:
	WebSocketServer.instance.message_received.disconnect(_on_message_received)
	var answers: Array[String] = []
	var ask := func(_data: String) -> void:
		var answer: Array = await WebSocketServer.instance.message_received
		answers.append(answer[1])
	WebSocketServer.instance.model_data_received.connect(ask, CONNECT_ONE_SHOT)
	var joined := await _joined()
	joined[0].send("question")
	joined[0].send("answer")
	joined[0].peer.poll()
	OS.delay_msec(200)
	await until(func(): return not answers.is_empty(), "an answer")
	check(answers[0] in ["question", "answer"], "what was heard: %s" % [answers])


func test_announcing_is_told() -> void:
	_told.clear()
	var joined := await _joined()
	await until(func(): return [false] in _heard("discovery"), "the pause is told")
	joined[0].close()
	await until(func(): return _heard("discovery")[-1] == [true], "the going on is told")
	WebSocketServer.stop_service_discovery()
	await until(func(): return _heard("discovery")[-1] == [false], "the stop is told")


func test_dropped_messages_are_told() -> void:
	ProjectSettings.set_setting("halloo/outbox_when_full", "drop_oldest")
	await started()
	var slow := StreamPeerTCP.new()
	slow.connect_to_host("127.0.0.1", WebSocketServer.get_server_status().server_port)
	await until(func(): slow.poll(); return slow.get_status() == StreamPeerTCP.STATUS_CONNECTED, "TCP connects")
	slow.put_data(("GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
			+ "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n").to_ascii_buffer())
	await until(func(): return not _heard("joined").is_empty(), "it joins")
	# It takes nothing: what the system does not hold for it waits in the outbox, and that has an end.
	var large := "x".repeat(65_536)
	for i in 500:
		WebSocketServer.send_to_all(large)
	await until(func(): return not _heard("dropped").is_empty(), "the drop is told")
	equal(_heard("dropped")[0][0], _heard("joined")[0][0], "for whom")
	check(_heard("dropped")[0][1] > 0, "how many")
	equal(_heard("left"), [], "nobody is disconnected for it")
	check(WebSocketServer.get_server_status().halloo.messages_dropped > 0, "it is counted")


func test_what_is_known_of_clients() -> void:
	var joined := await _joined()
	var clients: Array[Dictionary] = WebSocketServer.get_clients()
	equal(clients.size(), 1, "clients")
	equal(clients[0].keys(), ["id", "address", "latency_ms", "waiting", "dropped"], "keys")
	equal(clients[0].id, joined[1], "id")
	check(clients[0].address.begins_with("127.0.0.1:"), "address: " + clients[0].address)
	joined[0].close()
	await until(func(): return WebSocketServer.get_clients().is_empty(), "nobody any more")


func test_addresses_and_code() -> void:
	var port: int = WebSocketServer.get_server_status().server_port
	var urls: PackedStringArray = WebSocketServer.get_urls()
	equal(urls[0], "ws://127.0.0.1:%d" % port, "that of this machine first")
	equal(urls[1], "ws://%s:%d" % [WebSocketServer.get_server_status().local_ip, port], "then the best")
	var texture: ImageTexture = WebSocketServer.get_qr_texture()
	check(texture.get_width() == texture.get_height() and texture.get_width() >= 256, "size: %s" % texture.get_size())
	check(WebSocketServer.get_qr_texture("other", 50).get_width() >= 50, "size of another")
	equal(WebSocketServer.get_qr_texture("x".repeat(10_000)), null, "a text too long for a code")
	WebSocketServer.stop_server()
	equal(WebSocketServer.get_urls(), PackedStringArray(), "a stopped server has none")
	equal(WebSocketServer.get_qr_texture(), null, "nor a code")


func test_a_stopped_server_sends_nothing() -> void:
	WebSocketServer.stop_server()
	equal(WebSocketServer.send_to_all("?"), ERR_UNCONFIGURED, "send_to_all")
	equal(WebSocketServer.send(1, "?"), ERR_UNCONFIGURED, "send")
	equal(WebSocketServer.disconnect_client(1), ERR_UNCONFIGURED, "disconnect_client")
	equal(WebSocketServer.get_clients().size(), 0, "clients")


func test_monitors() -> void:
	for monitor in ["clients", "messages in per second", "messages out per second", "events waiting", "messages dropped"]:
		check(Performance.has_custom_monitor("halloo/" + monitor), "there is a monitor of " + monitor)
	await _joined()
	equal(int(Performance.get_custom_monitor("halloo/clients")), 1, "clients")
	equal(int(Performance.get_custom_monitor("halloo/events waiting")), 0, "events waiting")
