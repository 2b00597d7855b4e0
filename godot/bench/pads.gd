extends "res://bench/base.gd"
## Measures [HallooPads]: what a hundred players cost a frame, and how soon [Input] shows what a thumb does.
## [code]cargo xtask godot-bench pads[/code] runs only this.

const PLAYERS := 100
const SECONDS := 8
const TOUCHES := 300

## Its script uses the autoload, which does not exist yet when this one is loaded.
var _pads: Node
## The messages with the state of controls.
var _received := 0
var _watch := InputWatch.new()


## Records when [Input] shows another position of a stick.
class InputWatch extends Node:
	var device := 0
	## When each frame began, as the system's time in seconds.
	var frames := PackedFloat64Array()
	## By position in thousandths: the time, and the number of the frame.
	var seen := {}
	var _last := 0

	func _process(_delta: float) -> void:
		var position := roundi(Input.get_joy_axis(device, JOY_AXIS_LEFT_X) * 1000)
		if position != _last:
			_last = position
			seen[position] = [Time.get_unix_time_from_system(), frames.size()]


func _run() -> void:
	await super()
	if not _server.is_native:
		return quit()
	_pads = load("res://addons/halloo/pads.gd").new()
	_pads.as_joypads = true
	_pads.max_pads = PLAYERS
	root.add_child(_pads)
	root.add_child(_watch)
	process_frame.connect(func() -> void: _watch.frames.append(Time.get_unix_time_from_system()))
	await _measure_touches("touch to Input", 0)
	await _measure_touches("touch to Input while %d others play" % (PLAYERS - 1), PLAYERS - 1)
	await _measure_players()
	quit()


func _measure_touches(name: String, others: int) -> void:
	# Longer than the touches take.
	var players := _start("pads", [str(others), "60"])
	while _pads.get_pads().size() < others:
		await process_frame
	_watch.device = _pads.first_device + others
	_watch.seen.clear()
	var load := await _start_and_wait("touches", [str(TOUCHES)])
	await create_timer(0.5).timeout
	var milliseconds: Array[float] = []
	var frames: Array[int] = []
	for touch: String in load.output.split("\n"):
		var position := int(touch.get_slice(" ", 0))
		var sent := float(touch.get_slice(" ", 1))
		if _watch.seen.has(position):
			milliseconds.append((_watch.seen[position][0] - sent) * 1000.0)
			# The frames that began since, with the one that shows it.
			frames.append(_watch.seen[position][1] - _watch.frames.bsearch(sent))
	_figure("%s: touches shown, of %d" % [name, TOUCHES], milliseconds.size())
	milliseconds.sort()
	frames.sort()
	if milliseconds:
		_figure(name + ": p50 and p99, ms", "%.1f, %.1f" % [_percentile(milliseconds, 50), _percentile(milliseconds, 99)])
		_figure(name + ": p50 and p99, frames", "%d, %d" % [_percentile(frames, 50), _percentile(frames, 99)])
	OS.kill(players.pid)
	await _end(load)
	for pad: RefCounted in _pads.get_pads():
		_pads._free_seat(pad)


func _measure_players() -> void:
	var idle := await _frame_times_of(FRAMES)
	_server.messages_received.connect(_count)
	var load := _start("pads", [str(PLAYERS), str(SECONDS)])
	while _pads.get_pads().size() < PLAYERS:
		await process_frame
	await create_timer(1.0).timeout
	var times := await _frame_times_of(FRAMES)
	await _wait_for_output(load)
	var waiting: int = int(load.output) - _received
	var deadline := Time.get_ticks_msec() + 10_000
	while _received < int(load.output) and Time.get_ticks_msec() < deadline:
		await process_frame
	await process_frame
	_server.messages_received.disconnect(_count)
	var name := "%d pads at 60 messages/s" % PLAYERS
	_figure(name + ": main thread per frame, median, p99 and longest, ms", "%.2f, %.2f, %.2f" % [
		(times[FRAMES / 2] - idle[FRAMES / 2]) / 1e3, times[FRAMES * 99 / 100] / 1e3, times[-1] / 1e3])
	_figure(name + ": messages that waited for a frame at the end", waiting)
	_figure(name + ": messages sent and lost", "%d, %d" % [int(load.output), int(load.output) - _received])
	# Each pad ends with a position of its own.
	var newest: Array = _pads.get_pads().filter(func(pad: RefCounted) -> bool:
		var position := Vector2(int(pad.name), PLAYERS).normalized()
		return pad.get_vector("left").distance_to(position) < 0.01 \
				and absf(Input.get_joy_axis(pad.device, JOY_AXIS_LEFT_X) - position.x) < 0.01)
	_figure(name + ": pads whose newest state the game sees", newest.size())
	await _end(load)


func _percentile(sorted: Array, percent: int) -> Variant:
	return sorted[mini(sorted.size() * percent / 100, sorted.size() - 1)]


func _count(_ids: PackedInt64Array, texts: PackedStringArray) -> void:
	for text in texts:
		_received += int(text.begins_with("{\"left"))
