extends SceneTree
## Measures the server in the engine; [code]cargo xtask godot-bench[/code] runs it with the native library and without.
##
## Prints lines [code]figure NAME: VALUE[/code]. The time of a frame is measured the same way for every implementation:
## from the tree's signal that begins it, which this script hears first, to a node that is processed last.

const IDLE_CLIENTS: Array[int] = [0, 1, 100, 500]
const FPS := 60
const FRAMES := 300
const FLOOD_SECONDS := 4.0
const MESSAGE_SIZE := 60

var _server: Node
var _python := ""
var _loads := 0
var _began := 0
var _last := Probe.new()
## Microseconds from one to the other, by the number of idle clients.
var _times := {}
var _received := 0


## Notes when it is processed.
class Probe extends Node:
	var at := 0

	func _process(_delta: float) -> void:
		at = Time.get_ticks_usec()


func _initialize() -> void:
	for argument in OS.get_cmdline_user_args():
		if argument.begins_with("python="):
			_python = argument.trim_prefix("python=")
	Engine.max_fps = FPS
	# Before the server enters the tree and listens to it, too.
	process_frame.connect(func() -> void: _began = Time.get_ticks_usec())
	_run()


func _run() -> void:
	await process_frame
	_server = root.get_node("WebSocketServer")
	_figure("native library", _server.is_native)
	_figure("resident memory with no client, KiB", _resident())
	_last.process_priority = 1000
	root.add_child(_last)
	for count in IDLE_CLIENTS:
		await _measure_idle(count)
	await _measure_burst(500)
	await _measure_late()
	_server.model_data_received.connect(_count)
	await _measure_flood("messages/s, one call each")
	_server.model_data_received.disconnect(_count)
	if _server.is_native:
		_server.messages_received.connect(_count_batch)
		await _measure_flood("messages/s, one call a frame")
		Engine.max_fps = 0
		await _measure_flood("messages/s, one call a frame, frames unbounded")
		Engine.max_fps = FPS
		ProjectSettings.set_setting("halloo/frame_budget_ms", 8.0)
		_server.start_server()
		await _measure_flood("messages/s, one call a frame, budget of 8 ms")
	await _tell_times()
	quit()


func _measure_idle(count: int) -> void:
	var load := await _started("idle", [str(count)])
	while _server.get_server_status().connected_clients < count:
		await process_frame
	await create_timer(0.5).timeout
	_times[count] = await _time_of_frame()
	await _ended(load)


## What is left when there is no server any more is no work of it.
func _tell_times() -> void:
	_server.free()
	await create_timer(0.5).timeout
	var without := await _time_of_frame()
	for count: int in _times:
		_figure("main thread per frame with %d idle clients, µs" % count, "%.1f" % (_times[count] - without))


## The median over many frames; a mean would mostly tell what else the machine did.
func _time_of_frame() -> float:
	var times: Array[int] = []
	for i in FRAMES:
		# Of the last frame: this one has only begun.
		var began := _began
		await process_frame
		times.append(_last.at - began)
	times.sort()
	# Whole microseconds are coarse, so the middle half is averaged.
	var middle := times.slice(FRAMES / 4, FRAMES * 3 / 4)
	return float(middle.reduce(func(sum: int, time: int) -> int: return sum + time, 0)) / middle.size()


func _measure_burst(count: int) -> void:
	var load := await _started("burst", [str(count)])
	_figure("%d clients at once, s" % count, load.said)
	await _ended(load)


func _measure_late() -> void:
	var load := _start("late", [str(Time.get_unix_time_from_system() + 1.0)])
	await create_timer(0.5).timeout
	OS.delay_msec(2000)
	await _heard(load)
	_figure("a client connects while the main thread is blocked for 2 s, ms", "%.1f" % (float(load.said) * 1000))
	await _ended(load)


func _measure_flood(what: String) -> void:
	var load := _start("flood", [str(MESSAGE_SIZE), str(FLOOD_SECONDS + 3.0)])
	while _received == 0:
		await process_frame
	await create_timer(0.5).timeout
	var start := Time.get_ticks_usec()
	var before := _received
	var frames: Array[int] = []
	while Time.get_ticks_usec() - start < FLOOD_SECONDS * 1e6:
		var began := _began
		await process_frame
		frames.append(_last.at - began)
	var seconds := (Time.get_ticks_usec() - start) / 1e6
	frames.sort()
	_figure(what, roundi((_received - before) / seconds))
	_figure(what + ": main thread per frame, median and longest, ms",
			"%.1f, %.1f" % [frames[frames.size() / 2] / 1e3, frames[-1] / 1e3])
	await _ended(load)
	_received = 0


func _count(_data: String) -> void:
	_received += 1


func _count_batch(ids: PackedInt64Array, _texts: PackedStringArray) -> void:
	_received += ids.size()


func _start(kind: String, arguments: Array) -> Dictionary:
	_loads += 1
	var output := OS.get_cache_dir().path_join("halloo-bench-%d-%d" % [OS.get_process_id(), _loads])
	DirAccess.make_dir_recursive_absolute(OS.get_cache_dir())
	OS.set_environment("HALLOO_BENCH_OUTPUT", output)
	var port: int = _server.get_server_status().server_port
	var script := ProjectSettings.globalize_path("res://bench/load.py")
	var pid := OS.create_process(_python, [script, kind, str(port)] + arguments)
	return {"pid": pid, "output": output, "said": ""}


## Starts a load and waits until it says something.
func _started(kind: String, arguments: Array) -> Dictionary:
	var load := _start(kind, arguments)
	await _heard(load)
	return load


func _heard(load: Dictionary) -> void:
	while not FileAccess.file_exists(load.output):
		await process_frame
	load.said = FileAccess.get_file_as_string(load.output).strip_edges()
	DirAccess.remove_absolute(load.output)


func _ended(load: Dictionary) -> void:
	if OS.is_process_running(load.pid):
		OS.kill(load.pid)
	while _server.get_server_status().connected_clients > 0:
		await process_frame
	await create_timer(0.5).timeout


func _resident() -> int:
	# Line by line, for the system says that this file is empty.
	var status := FileAccess.open("/proc/self/status", FileAccess.READ)
	while status != null and not status.eof_reached():
		var line := status.get_line()
		if line.begins_with("VmRSS:"):
			return int(line)
	return 0


func _figure(name: String, value: Variant) -> void:
	print("figure %s: %s" % [name, value])
