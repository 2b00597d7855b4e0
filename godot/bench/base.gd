extends SceneTree
## What the benchmarks share. They print lines of the form [code]figure NAME: VALUE[/code].
##
## The time of a frame is measured in the same way for both implementations: from the tree's signal
## [signal SceneTree.process_frame], to which this script connects first, to a node that is processed last.

const FPS := 60
const FRAMES := 300

var _server: Node
var _python := ""
## The number of load generators started.
var _loads := 0
## When the current frame began, in microseconds.
var _frame_began := 0
var _last_node := LastNode.new()


## Records when it was processed, in microseconds.
class LastNode extends Node:
	var processed_at := 0

	func _process(_delta: float) -> void:
		processed_at = Time.get_ticks_usec()


func _initialize() -> void:
	for argument in OS.get_cmdline_user_args():
		if argument.begins_with("python="):
			_python = argument.trim_prefix("python=")
	Engine.max_fps = FPS
	# Connects before the server does, which is not in the tree yet.
	process_frame.connect(func() -> void: _frame_began = Time.get_ticks_usec())
	_run()


## Prepares the measurements, which an override makes.
func _run() -> void:
	await process_frame
	_server = root.get_node("WebSocketServer")
	_last_node.process_priority = 1000
	root.add_child(_last_node)


## Returns the times of many frames in microseconds, the shortest first.
func _frame_times_of(frames: int) -> Array[int]:
	var times: Array[int] = []
	for i in frames:
		# The next frame replaces it before the await returns.
		var began := _frame_began
		await process_frame
		times.append(_last_node.processed_at - began)
	times.sort()
	return times


## Returns the median over many frames; a mean depends mostly on other programs on the machine.
func _median_frame_time() -> float:
	var times := await _frame_times_of(FRAMES)
	# The resolution is a microsecond, so the middle half is averaged.
	var middle := times.slice(FRAMES / 4, FRAMES * 3 / 4)
	return float(middle.reduce(func(sum: int, time: int) -> int: return sum + time, 0)) / middle.size()


func _start(kind: String, arguments: Array) -> Dictionary:
	_loads += 1
	var path := OS.get_cache_dir().path_join("halloo-bench-%d-%d" % [OS.get_process_id(), _loads])
	DirAccess.make_dir_recursive_absolute(OS.get_cache_dir())
	OS.set_environment("HALLOO_BENCH_OUTPUT", path)
	var port: int = _server.get_server_status().server_port
	var script := ProjectSettings.globalize_path("res://bench/load.py")
	var pid := OS.create_process(_python, [script, kind, str(port)] + arguments)
	return {"pid": pid, "path": path, "output": ""}


## Starts a load generator and waits for its output.
func _start_and_wait(kind: String, arguments: Array) -> Dictionary:
	var load := _start(kind, arguments)
	await _wait_for_output(load)
	return load


func _wait_for_output(load: Dictionary) -> void:
	while not FileAccess.file_exists(load.path):
		await process_frame
	load.output = FileAccess.get_file_as_string(load.path).strip_edges()
	DirAccess.remove_absolute(load.path)


func _end(load: Dictionary) -> void:
	if OS.is_process_running(load.pid):
		OS.kill(load.pid)
	while _server.get_server_status().connected_clients > 0:
		await process_frame
	await create_timer(0.5).timeout


func _figure(name: String, value: Variant) -> void:
	print("figure %s: %s" % [name, value])
