extends "res://tests/suite.gd"
## Message sizes, fragments, characters and floods: what must arrive, and what must be closed with which code.

const MIB := 1_048_576

var _texts: Array[String] = []
var _bytes: Array[PackedByteArray] = []
var _data: Array[String] = []
var _left: Array[int] = []


func applies_to(implementation: String) -> bool:
	return implementation == "native"


func before() -> void:
	await start_server()
	WebSocketServer.instance.message_received.connect(_on_text)
	WebSocketServer.instance.binary_received.connect(_on_binary)
	WebSocketServer.instance.model_data_received.connect(_on_data)
	WebSocketServer.instance.client_left.connect(_on_left)


func after() -> void:
	ProjectSettings.set_setting("halloo/frame_budget_ms", null)


func _on_text(_id: int, text: String) -> void:
	_texts.append(text)


func _on_binary(_id: int, bytes: PackedByteArray) -> void:
	_bytes.append(bytes)


func _on_data(data: String) -> void:
	_data.append(data)


func _on_left(_id: int, code: int, _reason: String) -> void:
	_left.append(code)


## Connects a client with buffers for large messages.
func _client_with_large_buffers() -> Client:
	var client := Client.new()
	client.peer.inbound_buffer_size = 4 * MIB
	client.peer.outbound_buffer_size = 4 * MIB
	add_child(client)
	client.open(server_url())
	await until(client.is_open, "a client connects")
	await until(func(): return WebSocketServer.get_server_status().connected_clients == 1, "the server counts the client")
	return client


func _has_received(count: int) -> bool:
	return WebSocketServer.get_server_status().halloo.messages_received == count


func test_messages_up_to_the_limit_arrive() -> void:
	var client := await _client_with_large_buffers()
	for size: int in [65_535, 65_536, 100_000, MIB]:
		var text := "x".repeat(size - 1) + "y"
		client.send(text)
		await until(func(): return not _texts.is_empty(), "%d bytes arrive" % size)
		check(_texts.pop_back() == text, "the server receives %d bytes unchanged" % size)
		WebSocketServer.send_to_all(text)
		await until(func(): return not client.received.is_empty(), "%d bytes come back" % size)
		check(client.received.pop_back() == text, "the client receives %d bytes unchanged" % size)


func test_messages_above_the_limit_are_closed_with_1009() -> void:
	var client := await _client_with_large_buffers()
	client.send("x".repeat(MIB + 1))
	await until(func(): return not _left.is_empty(), "client_left is emitted")
	equal(_left, [1009] as Array[int], "close code")
	equal(_texts.size(), 0, "messages")


## model_data_received has what get_string_from_utf8() returns, as in the script; message_received has the full text.
func test_unusual_characters_arrive() -> void:
	if arguments.python.is_empty():
		skipped = "Python is missing"
		return
	await python("odd_messages.py", ["messages", server_url()])
	await until(func(): return _texts.size() == 6 and _bytes.size() == 3, "all messages arrive")
	equal(_texts, ["a\ufffdb", "\ufeffbom", "Grüße, 日本, 🎮", "", "x".repeat(90_000), "ü".repeat(3)] as Array[String],
			"texts")
	equal(_bytes, [PackedByteArray([97, 0, 98]), PackedByteArray([255, 254]), PackedByteArray()] as Array[PackedByteArray],
			"bytes")
	equal(_data.slice(0, 7), ["a", "bom", "Grüße, 日本, 🎮", "", "x".repeat(90_000), "ü".repeat(3), "a"] as Array[String],
			"messages as in the script")
	equal(_data.size(), 9, "number of messages, binary ones included")


func test_protocol_violations_are_closed() -> void:
	if arguments.python.is_empty():
		skipped = "Python is missing"
		return
	# The program checks the close codes.
	await python("odd_messages.py", ["violations", server_url()])
	equal(_texts.size() + _bytes.size(), 0, "messages")


func test_a_flood_arrives_completely_and_in_order() -> void:
	if arguments.python.is_empty():
		skipped = "Python is missing"
		return
	await python("odd_messages.py", ["flood", server_url(), "100000"])
	await until(func(): return _texts.size() == 100_000, "all messages arrive", 30.0)
	for i in 100_000:
		if int(_texts[i]) != i:
			check(false, "message %d is %s" % [i, _texts[i]])
			break


func test_frame_budget_limits_the_handlers_of_a_frame() -> void:
	var frames := {}
	var slow := func(_data: String) -> void:
		OS.delay_msec(1)
		frames[Engine.get_process_frames()] = frames.get(Engine.get_process_frames(), 0) + 1
	var client := await _client_with_large_buffers()
	WebSocketServer.instance.model_data_received.connect(slow)
	for i in 100:
		client.send(str(i))
	client.peer.poll()
	block_until(_has_received.bind(100), "all messages are waiting when the next frame begins")
	await until(func(): return _texts.size() == 100, "all messages arrive")
	WebSocketServer.instance.model_data_received.disconnect(slow)
	check(frames.values().max() <= 3, "at most 3 handlers of 1 ms in a budget of 2 ms: %s" % [frames.values()])


func test_a_budget_of_zero_handles_all_events_in_one_frame() -> void:
	ProjectSettings.set_setting("halloo/frame_budget_ms", 0.0)
	await start_server()
	var frames := {}
	var count := func(_data: String) -> void: frames[Engine.get_process_frames()] = true
	var client := await _client_with_large_buffers()
	WebSocketServer.instance.model_data_received.connect(count)
	for i in 2000:
		client.send(str(i))
	client.peer.poll()
	block_until(_has_received.bind(2000), "all messages are waiting when the next frame begins")
	await until(func(): return _texts.size() == 2000, "all messages arrive")
	WebSocketServer.instance.model_data_received.disconnect(count)
	equal(frames.size(), 1, "frames")
