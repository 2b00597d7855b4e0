extends "res://bench/base.gd"
## Measures the server in the engine. [code]cargo xtask godot-bench[/code] runs it with and without the native library.

const IDLE_CLIENTS: Array[int] = [0, 1, 100, 500]
const FLOOD_SECONDS := 4.0
const MESSAGE_SIZE := 60

## The time of a frame in microseconds, by the number of idle clients.
var _frame_times := {}
var _received := 0


func _run() -> void:
	await super()
	_figure("native library", _server.is_native)
	_figure("resident memory without clients, KiB", _resident())
	for count in IDLE_CLIENTS:
		await _measure_idle(count)
	await _measure_burst(500)
	await _measure_connect_while_blocked()
	_server.model_data_received.connect(_count)
	await _measure_flood("messages/s, one call per message")
	_server.model_data_received.disconnect(_count)
	if _server.is_native:
		_server.messages_received.connect(_count_batch)
		await _measure_flood("messages/s, one call per frame")
		Engine.max_fps = 0
		await _measure_flood("messages/s, one call per frame, frame rate unlimited")
		Engine.max_fps = FPS
		ProjectSettings.set_setting("halloo/frame_budget_ms", 8.0)
		_server.start_server()
		await _measure_flood("messages/s, one call per frame, budget of 8 ms")
	await _report_frame_times()
	quit()


func _measure_idle(count: int) -> void:
	var load := await _start_and_wait("idle", [str(count)])
	while _server.get_server_status().connected_clients < count:
		await process_frame
	await create_timer(0.5).timeout
	_frame_times[count] = await _median_frame_time()
	await _end(load)


## Reports the time of a frame less the same without a server.
func _report_frame_times() -> void:
	_server.free()
	await create_timer(0.5).timeout
	var without := await _median_frame_time()
	for count: int in _frame_times:
		_figure("main thread per frame with %d idle clients, µs" % count, "%.1f" % (_frame_times[count] - without))


func _measure_burst(count: int) -> void:
	var load := await _start_and_wait("burst", [str(count)])
	_figure("%d clients at once, s" % count, load.output)
	await _end(load)


func _measure_connect_while_blocked() -> void:
	var load := _start("late", [str(Time.get_unix_time_from_system() + 1.0)])
	await create_timer(0.5).timeout
	OS.delay_msec(2000)
	await _wait_for_output(load)
	_figure("a client connects while the main thread is blocked for 2 s, ms", "%.1f" % (float(load.output) * 1000))
	await _end(load)


func _measure_flood(what: String) -> void:
	var load := _start("flood", [str(MESSAGE_SIZE), str(FLOOD_SECONDS + 3.0)])
	while _received == 0:
		await process_frame
	await create_timer(0.5).timeout
	var start := Time.get_ticks_usec()
	var before := _received
	var frames: Array[int] = []
	while Time.get_ticks_usec() - start < FLOOD_SECONDS * 1e6:
		var began := _frame_began
		await process_frame
		frames.append(_last_node.processed_at - began)
	var seconds := (Time.get_ticks_usec() - start) / 1e6
	frames.sort()
	_figure(what, roundi((_received - before) / seconds))
	_figure(what + ": main thread per frame, median and longest, ms",
			"%.1f, %.1f" % [frames[frames.size() / 2] / 1e3, frames[-1] / 1e3])
	await _end(load)
	_received = 0


func _count(_data: String) -> void:
	_received += 1


func _count_batch(ids: PackedInt64Array, _texts: PackedStringArray) -> void:
	_received += ids.size()


func _resident() -> int:
	# Line by line, because the system reports a size of zero for this file.
	var status := FileAccess.open("/proc/self/status", FileAccess.READ)
	while status != null and not status.eof_reached():
		var line := status.get_line()
		if line.begins_with("VmRSS:"):
			return int(line)
	return 0
