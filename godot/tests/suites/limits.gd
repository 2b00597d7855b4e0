extends "res://tests/suite.gd"
## Sizes, fragments, characters and floods: what must arrive, and what must be refused with which code.

const MIB := 1_048_576

var _texts: Array[String] = []
var _bytes: Array[PackedByteArray] = []
var _old: Array[String] = []
var _left: Array[int] = []


func wants(implementation: String) -> bool:
	return implementation == "native"


func before() -> void:
	await started()
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
	_old.append(data)


func _on_left(_id: int, code: int, _reason: String) -> void:
	_left.append(code)


## A client that can send and receive large messages itself.
func _roomy_client() -> Client:
	var client := Client.new()
	client.peer.inbound_buffer_size = 4 * MIB
	client.peer.outbound_buffer_size = 4 * MIB
	add_child(client)
	client.open(server_url())
	await until(client.is_open, "a client connects")
	await until(func(): return WebSocketServer.get_server_status().connected_clients == 1, "it is counted")
	return client


func test_large_messages_arrive() -> void:
	var client := await _roomy_client()
	for size: int in [65_535, 65_536, 100_000, MIB]:
		var text := "x".repeat(size - 1) + "y"
		client.send(text)
		await until(func(): return not _texts.is_empty(), "%d bytes arrive" % size)
		check(_texts.pop_back() == text, "as they were sent")
		WebSocketServer.send_to_all(text)
		await until(func(): return not client.received.is_empty(), "%d bytes come back" % size)
		check(client.received.pop_back() == text, "as they were sent")


func test_larger_ones_are_refused() -> void:
	var client := await _roomy_client()
	client.send("x".repeat(MIB + 1))
	await until(func(): return not _left.is_empty(), "it has to leave")
	equal(_left, [1009] as Array[int], "code")
	equal(_texts.size(), 0, "messages")


## As each ending of a string is told: the script's signal as get_string_from_utf8() would have it, the new one whole.
func test_odd_characters() -> void:
	if arguments.python.is_empty():
		skipped = "there is no Python"
		return
	await python("odd_messages.py", ["messages", server_url()])
	await until(func(): return _texts.size() == 6 and _bytes.size() == 3, "all arrive")
	equal(_texts, ["a\ufffdb", "\ufeffbom", "Grüße, 日本, 🎮", "", "x".repeat(90_000), "ü".repeat(3)] as Array[String],
			"texts")
	equal(_bytes, [PackedByteArray([97, 0, 98]), PackedByteArray([255, 254]), PackedByteArray()] as Array[PackedByteArray],
			"bytes")
	equal(_old.slice(0, 7), ["a", "bom", "Grüße, 日本, 🎮", "", "x".repeat(90_000), "ü".repeat(3), "a"] as Array[String],
			"as the script told them")
	equal(_old.size(), 9, "binary ones are told, too")


func test_what_breaks_a_rule_is_refused() -> void:
	if arguments.python.is_empty():
		skipped = "there is no Python"
		return
	# The program checks the codes that it gets.
	await python("odd_messages.py", ["violations", server_url()])
	equal(_texts.size() + _bytes.size(), 0, "messages")


func test_nothing_of_a_flood_is_lost() -> void:
	if arguments.python.is_empty():
		skipped = "there is no Python"
		return
	await python("odd_messages.py", ["flood", server_url(), "100000"])
	await until(func(): return _texts.size() == 100_000, "all arrive", 30.0)
	for i in 100_000:
		if int(_texts[i]) != i:
			check(false, "message %d is %s" % [i, _texts[i]])
			break


func test_a_frame_has_a_budget() -> void:
	var frames := {}
	var slow := func(_data: String) -> void:
		OS.delay_msec(1)
		frames[Engine.get_process_frames()] = frames.get(Engine.get_process_frames(), 0) + 1
	var client := await _roomy_client()
	WebSocketServer.instance.model_data_received.connect(slow)
	for i in 100:
		client.send(str(i))
	# All of them wait when the next frame begins.
	client.peer.poll()
	OS.delay_msec(200)
	await until(func(): return _texts.size() == 100, "all arrive")
	WebSocketServer.instance.model_data_received.disconnect(slow)
	check(frames.values().max() <= 3, "two milliseconds are two calls of one, or three: %s" % [frames.values()])


func test_a_frame_without_a_bound() -> void:
	ProjectSettings.set_setting("halloo/frame_budget_ms", 0.0)
	await started()
	var frames := {}
	var count := func(_data: String) -> void: frames[Engine.get_process_frames()] = true
	var client := await _roomy_client()
	WebSocketServer.instance.model_data_received.connect(count)
	for i in 2000:
		client.send(str(i))
	# All of them wait when the next frame begins.
	client.peer.poll()
	OS.delay_msec(500)
	await until(func(): return _texts.size() == 2000, "all arrive")
	WebSocketServer.instance.model_data_received.disconnect(count)
	equal(frames.size(), 1, "frames")
