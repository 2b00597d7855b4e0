extends "res://tests/suite.gd"
## [HallooPads]: phones as gamepads.

var pads: HallooPads
var events: Array[InputEvent] = []
var log: Array[String] = []


func applies_to(implementation: String) -> bool:
	return implementation == "native"


func before() -> void:
	await super()
	pads = HallooPads.new()
	pads.pad_joined.connect(func(pad: HallooPad): log.append("joined " + pad.name))
	pads.pad_lost.connect(func(pad: HallooPad): log.append("lost " + pad.name))
	pads.pad_left.connect(func(pad: HallooPad): log.append("left " + pad.name))
	pads.pad_returned.connect(func(pad: HallooPad): log.append("returned " + pad.name))
	add_child(pads)


func _input(event: InputEvent) -> void:
	if event is InputEventJoypadButton or event is InputEventJoypadMotion:
		events.append(event)


## Returns a connected client that has joined as [param player].
func joined(player: String, seat := "") -> Client:
	var client: Client = await connected_client()
	client.send(JSON.stringify({"join": {"name": player, "color": "#20c040", "seat": seat}}))
	var expected := log.size() + 1
	await until(func(): return log.size() >= expected, player + " joins")
	return client


func start_server_with_frame_budget(milliseconds: float) -> void:
	ProjectSettings.set_setting("halloo/frame_budget_ms", milliseconds)
	await start_server()
	ProjectSettings.set_setting("halloo/frame_budget_ms", null)


func test_pad_has_the_name_the_colour_and_the_state_that_was_sent() -> void:
	var client: Client = await joined("Ada")
	equal(log, ["joined Ada"] as Array[String], "the signals")
	var pad: HallooPad = pads.get_pads()[0]
	equal(pad.color, Color("#20c040"), "the colour")
	client.send('{"left":[0.5,-1],"a":1,"tilt":[1,2,3]}')
	await until(func(): return pad.is_pressed("a"), "the button is pressed")
	check(pad.get_vector("left").is_equal_approx(Vector2(0.5, -1).limit_length()), "the stick")
	equal(pad.get_tilt(), Vector3(1, 2, 3), "the tilt")
	var swipes: Array[String] = []
	pad.swiped.connect(func(control: String, direction: String): swipes.append(control + " " + direction))
	client.send('{"right":"up"}')
	await until(func(): return swipes.has("right up"), "a swipe arrives")
	client.send('{"left":[0,0],"a":0,"tilt":null}')
	await until(func(): return not pad.is_pressed("a") and pad.get_tilt() == Vector3.ZERO and pad.get_vector("left") == Vector2.ZERO, "all is released")


func test_input_shows_a_pad_in_the_frame_of_its_message() -> void:
	pads.as_joypads = true
	var client: Client = await joined("Eli")
	var seen: Array[float] = []
	var watch := func(_ids, _texts): seen.append(Input.get_joy_axis(100, JOY_AXIS_LEFT_X))
	WebSocketServer.instance.messages_received.connect(watch)
	client.send('{"left":[0.25,0]}')
	await until(func(): return not seen.is_empty(), "the message arrives")
	equal(seen, [0.25] as Array[float], "what Input shows behind the handler of the message")
	WebSocketServer.instance.messages_received.disconnect(watch)


func test_garbage_is_ignored() -> void:
	var client: Client = await joined("Bob")
	var pad: HallooPad = pads.get_pads()[0]
	for text: String in ["", "{", "[]", "null", '{"join":1}', '{"left":[1]}', '{"left":["1",2]}', '{"left":[1e999,0]}',
			'{"a":"yes"}', '{"a":null}', '{"tilt":[1]}', '{"pong":"x"}', '{"text":5}', '{"left":"away"}', "left",
			'{"left":' + "[".repeat(600) + "]".repeat(600) + "}", '{"x":"' + "y".repeat(5000) + '"}']:
		client.send(text)
	for i in 100:
		client.send(JSON.stringify({"control%d" % i: 1, "stick%d" % i: [1, 0]}))
	client.send('{"b":0.2,"y":1}')
	client.send('{"left":[30,0],"text":"done"}')
	await pad.text_received
	equal(pad.get_vector("left"), Vector2.RIGHT if pad._vectors.has("left") else Vector2.ZERO, "a position is limited")
	check(pad._buttons.size() <= HallooPad.MAX_CONTROLS and pad._vectors.size() <= HallooPad.MAX_CONTROLS,
			"the number of controls is limited")
	equal(log, ["joined Bob"] as Array[String], "the signals")


func test_name_and_colour_are_cleaned() -> void:
	var client: Client = await connected_client()
	client.send(JSON.stringify({"join": {"name": "  \u202eEve\n\u001b[2J" + "!".repeat(99), "color": "url(x)"}}))
	await until(func(): return not pads.get_pads().is_empty(), "she joins")
	var pad: HallooPad = pads.get_pads()[0]
	equal(pad.name, ("  Eve[2J" + "!".repeat(99)).left(24).strip_edges(), "the name")
	check(pad.color.a == 1.0 and pad.color != Color.WHITE, "a colour of its own")
	client.send('{"join":{"name":""}}')
	await until(func(): return pad.name == "Player 1", "a player without a name gets one")


func test_pads_are_joypads() -> void:
	pads.as_joypads = true
	var client: Client = await joined("Cy")
	client.send('{"left":[0.5,0]}')
	await until(func(): return Input.get_joy_axis(100, JOY_AXIS_LEFT_X) == 0.5, "the axis of the device moves")
	# A tap within one frame is a press and a release.
	events.clear()
	client.send('{"a":1}')
	client.send('{"a":0}')
	await until(func(): return events.size() >= 2, "both are events")
	check(events[0] is InputEventJoypadButton and events[0].pressed and not events[1].pressed, "in this order")
	equal([events[0].device, events[0].button_index], [100, JOY_BUTTON_A], "the device and the button")
	client.send('{"right":[0,1],"b":1,"start":1}')
	await until(func(): return Input.is_joy_button_pressed(100, JOY_BUTTON_START), "a button is held")
	equal(Input.get_joy_axis(100, JOY_AXIS_RIGHT_Y), 1.0, "the other stick points down")
	# A phone that has left holds no button.
	client.close()
	await until(func(): return log.has("lost Cy"), "the phone leaves")
	await get_tree().process_frame
	check(not Input.is_joy_button_pressed(100, JOY_BUTTON_START), "the button is released")
	equal(Input.get_joy_axis(100, JOY_AXIS_RIGHT_Y), 0.0, "the stick is at rest")


func test_flood_costs_few_events_and_the_newest_state_counts() -> void:
	pads.as_joypads = true
	var client: Client = await joined("Di")
	var pad: HallooPad = pads.get_pads()[0]
	events.clear()
	for i in 1000:
		client.send(JSON.stringify({"left": [(i % 10) / 10.0, 0], "a": i % 2}))
	client.send('{"left":[1,0],"a":0,"b":1}')
	await until(func(): return pad.is_pressed("b"), "the last message arrives")
	await get_tree().process_frame
	equal(Input.get_joy_axis(100, JOY_AXIS_LEFT_X), 1.0, "the newest position")
	check(not Input.is_joy_button_pressed(100, JOY_BUTTON_A), "the newest state of the button")
	check(events.size() < 1200, "%d events" % events.size())


func test_newest_state_of_a_button_counts_after_many_changes_in_a_frame() -> void:
	await start_server_with_frame_budget(0.0)
	pads.as_joypads = true
	var client: Client = await joined("Una")
	for pressed: int in [1, 0]:
		events.clear()
		var messages: Array[String] = []
		for i in 101:
			messages.append('{"a":%d}' % (pressed if i % 2 == 0 else 1 - pressed))
		send_at_once([client], messages)
		await until(func(): return not events.is_empty(), "events")
		for i in 10:
			await get_tree().process_frame
		equal(Input.is_joy_button_pressed(100, JOY_BUTTON_A), pressed == 1, "the newest state")
		equal(events.size(), HallooPads.MAX_CHANGES_PER_FRAME + 1, "the number of events")


func test_only_a_changed_axis_is_an_event() -> void:
	pads.as_joypads = true
	var client: Client = await joined("Pam")
	var values := func(): return events.map(func(event: InputEventJoypadMotion): return [event.axis, event.axis_value])
	events.clear()
	client.send('{"left":[0.5,0]}')
	await until(func(): return not events.is_empty(), "the stick moves to the right")
	client.send('{"left":[0.5,0.25]}')
	await until(func(): return Input.get_joy_axis(100, JOY_AXIS_LEFT_Y) == 0.25, "and down")
	equal(values.call(), [[JOY_AXIS_LEFT_X, 0.5], [JOY_AXIS_LEFT_Y, 0.25]], "the events")


func test_time_of_pads_keeps_no_message_back() -> void:
	await start_server_with_frame_budget(20.0)
	pads.as_joypads = true
	var clients: Array[Client] = [await joined("Ria"), await joined("Rob")]
	for pad in pads.get_pads():
		pad.text_received.connect(func(_text: String) -> void: OS.delay_msec(4))
	add_child(SlowInput.new())
	var messages: Array[String] = []
	for i in 8:
		messages.append('{"text":"hello","a":%d}' % ((i + 1) % 2))
	equal(await frames_of(clients, messages), [16], "the messages of each frame")


func test_flood_of_one_pad_is_limited_by_the_frame_budget() -> void:
	await start_server_with_frame_budget(20.0)
	var clients: Array[Client] = [await joined("Rex")]
	pads.get_pads()[0].text_received.connect(func(_text: String) -> void: OS.delay_msec(1))
	var messages: Array[String] = []
	messages.resize(200)
	messages.fill('{"text":"hello"}')
	var frames := await frames_of(clients, messages)
	check(frames.size() > 1, "the messages of each frame: %s" % [frames])


## Returns how many messages were handled in each frame. They are sent several times, so that the server knows how long the
## handlers take.
func frames_of(clients: Array[Client], messages: Array[String]) -> Array:
	var frames := {}
	var count := func(ids: PackedInt64Array, _texts: PackedStringArray) -> void:
		frames[Engine.get_process_frames()] = frames.get(Engine.get_process_frames(), 0) + ids.size()
	WebSocketServer.instance.messages_received.connect(count)
	for round in 4:
		frames.clear()
		send_at_once(clients, messages)
		var total := func() -> int: return frames.values().reduce(func(sum: int, size: int) -> int: return sum + size, 0)
		await until(func(): return total.call() == clients.size() * messages.size(), "all messages are handled")
	WebSocketServer.instance.messages_received.disconnect(count)
	return frames.values()


## Sends messages of each client, which are all waiting when the next frame begins.
func send_at_once(clients: Array[Client], messages: Array[String]) -> void:
	var received := func() -> int: return WebSocketServer.get_server_status().halloo.messages_received
	var expected: int = received.call() + clients.size() * messages.size()
	for client in clients:
		messages.map(client.send)
		client.peer.poll()
	block_until(func() -> bool: return received.call() == expected, "all messages are waiting when the next frame begins")


## Takes a while for each event.
class SlowInput:
	extends Node

	func _input(_event: InputEvent) -> void:
		OS.delay_msec(4)


func test_what_a_phone_shows_is_sent_when_the_server_is_no_longer_busy() -> void:
	pads.max_pads = 1
	await joined("Sue", "Sue")
	var pad: HallooPad = pads.get_pads()[0]
	var autoload: Node = WebSocketServer.instance
	var server: Node = autoload._server
	var busy := BusyServer.new()
	autoload._server = busy
	equal([pad.show_text("old"), pad.show_text("new"), pad.set_color(Color.RED), pad.vibrate()],
			[ERR_BUSY, ERR_BUSY, ERR_BUSY, ERR_BUSY], "the errors")
	pads._on_messages_received(PackedInt64Array([98, 99]), PackedStringArray(['{"join":{}}', '{"join":{}}']))
	for i in 3:
		await get_tree().process_frame
	pads._on_client_left(98, 1001, "")
	equal(busy.sent, [] as Array[String], "what is sent meanwhile")
	busy.is_busy = false
	for i in 3:
		await get_tree().process_frame
	var sent := busy.sent.filter(func(text: String) -> bool: return not "ping" in text)
	equal(sent, ['%d {"color":"#ff0000","text":"new"}' % pad.client_id,
			'99 {"text":"The game is full. You join when a player leaves."}'] as Array[String], "what is sent then")
	# What an earlier connection was not told is not for the next one.
	busy.is_busy = true
	pad.show_text("too late")
	pads._on_client_left(pad.client_id, 1001, "")
	autoload._server = server
	busy.free()
	var client: Client = await connected_client()
	client.send('{"join":{"name":"Sue","seat":"Sue"}}')
	await until(func(): return log.back() == "returned Sue", "the phone returns")
	await until(func(): return client.received.has('{"text":""}'), "it shows no text")
	await get_tree().process_frame
	check(not client.received.any(func(text: String) -> bool: return "too late" in text), "nor that of before")


## A server that can send nothing while it is busy.
class BusyServer:
	extends Node
	var is_busy := true
	var sent: Array[String] = []

	func send(id: int, text: String) -> Error:
		if is_busy:
			return ERR_BUSY
		sent.append("%d %s" % [id, text])
		return OK


func test_seat_is_kept_for_a_reloaded_phone() -> void:
	var client: Client = await joined("Flo", "secret-1")
	var other: Client = await joined("Gus", "secret-2")
	var pad: HallooPad = pads.get_pads()[0]
	client.close()
	await until(func(): return log.has("lost Flo"), "the phone leaves")
	check(pads.get_pads().has(pad) and not pad.is_connected_now(), "the seat is kept")
	client = await joined("Flo", "secret-1")
	equal(log.back(), "returned Flo", "the signal")
	check(pads.get_pad(pad.client_id) == pad and pad.index == 0, "it is the same pad")
	# The old connection may still be there.
	var newer: Client = await joined("Gus", "secret-2")
	equal(log.back(), "returned Gus", "the signal")
	equal(pads.get_pads().size(), 2, "the number of players")
	other.close()
	newer.send('{"a":1}')
	await until(func(): return pads.get_pads()[1].is_pressed("a"), "the new connection counts")


func test_seat_is_given_up_and_the_next_player_gets_it() -> void:
	pads.seat_timeout = 0.0
	pads.max_pads = 1
	var client: Client = await joined("Hal")
	var waiting: Client = await connected_client()
	waiting.send('{"join":{"name":"Ida"}}')
	await until(func(): return waiting.received.any(func(text): return "full" in text), "she is told to wait")
	client.close()
	await until(func(): return log.has("joined Ida"), "she gets the seat")
	equal(log, ["joined Hal", "lost Hal", "left Hal", "joined Ida"] as Array[String], "the signals")
	equal(pads.get_pads()[0].index, 0, "the seat")


func test_handlers_can_remove_other_pads_that_are_away() -> void:
	pads.seat_timeout = 0.0
	await joined("Lea")
	await joined("Max")
	pads.pad_left.connect(func(_pad: HallooPad): pads.get_pads().map(pads.remove), CONNECT_ONE_SHOT)
	for pad in pads.get_pads():
		# As if both connections were lost in one frame.
		pads._on_client_left(pad.client_id, 1006, "")
	await until(func(): return pads.get_pads().is_empty(), "the seats are given up")
	await get_tree().process_frame
	log.sort()
	equal(log, ["joined Lea", "joined Max", "left Lea", "left Max", "lost Lea", "lost Max"] as Array[String], "the signals")


func test_handler_of_pad_lost_can_remove_the_pad() -> void:
	pads.seat_timeout = 0.0
	var client: Client = await joined("Nik")
	pads.pad_lost.connect(pads.remove)
	client.close()
	await until(func(): return log.has("left Nik"), "the seat is given up")
	for i in 3:
		await get_tree().process_frame
	equal(log.count("left Nik"), 1, "the number of pad_left")


func test_handler_of_a_value_can_remove_the_pad() -> void:
	pads.as_joypads = true
	var client: Client = await joined("Oda")
	pads.get_pads()[0].text_received.connect(func(_text: String): pads.remove(pads.get_pads()[0]))
	client.send('{"text":"bye","start":1}')
	await until(func(): return log.has("left Oda"), "the pad is removed")
	await get_tree().process_frame
	check(not Input.is_joy_button_pressed(100, JOY_BUTTON_START), "the rest of the message holds no button")


func test_pad_is_told_its_layout_and_colour_and_answers_pings() -> void:
	pads.layout = {"left": "stick", "right": ["a"]}
	var client: Client = await joined("Jo")
	var pad: HallooPad = pads.get_pads()[0]
	pad.vibrate(40)
	pad.show_text("Your turn")
	var has := func(text: String): return client.received.has(text)
	await until(func(): return has.call('{"text":"Your turn"}'), "the text arrives")
	check(has.call('{"layout":{"left":"stick","right":["a"]}}'), "the layout")
	check(has.call('{"color":"#20c040"}') and has.call('{"vibrate":[40]}'), "the colour and the vibration")
	var ping := func(): return client.received.filter(func(text): return text.begins_with('{"ping":')).back()
	await until(func(): return ping.call() != null, "a ping arrives")
	client.send(ping.call().replace("ping", "pong"))
	await until(func(): return pad.latency_ms >= 0.0, "the latency is known")


func test_tap_within_a_frame_is_seen_once_by_frames_and_physics_frames() -> void:
	var client: Client = await joined("Kay")
	var counter := TapCounter.new(pads.get_pads()[0])
	add_child(counter)
	for taps in [1, 2, 3]:
		client.send('{"a":1}')
		client.send('{"a":0,"x":%d}' % (taps % 2))
		await until(func(): return counter.frames == taps and counter.physics_frames == taps, "tap %d is seen" % taps)
	for i in 10:
		await get_tree().physics_frame
	equal([counter.frames, counter.physics_frames], [3, 3], "each was seen once")


## Counts how often A was just pressed.
class TapCounter:
	extends Node
	var pad: HallooPad
	var frames := 0
	var physics_frames := 0

	func _init(counted: HallooPad) -> void:
		pad = counted

	func _process(_delta: float) -> void:
		frames += int(pad.is_just_pressed("a"))

	func _physics_process(_delta: float) -> void:
		physics_frames += int(pad.is_just_pressed("a"))
