extends Node
## What all suites share. A suite is a file in [code]suites/[/code]; each of its methods [code]test_…[/code] is a test,
## which may await. Every test has a fresh instance of its suite, and the server as [method before] leaves it.

const Client := preload("client.gd")

## What the engine was started with after [code]--[/code], as [code]key=value[/code].
var arguments := {}
var failures: Array[String] = []
var skipped := ""
var checks := 0


## Whether the suite is for this implementation: "native" or "fallback".
func wants(_implementation: String) -> bool:
	return true


## Runs before each test: nobody is connected, and the server stands on its usual port.
func before() -> void:
	await started()


## Runs after each test, also after one that failed.
func after() -> void:
	pass


func check(condition: bool, what: String) -> void:
	checks += 1
	if not condition:
		failures.append(what)


func equal(actual: Variant, expected: Variant, what: String) -> void:
	check(is_same(typeof(actual), typeof(expected)) and actual == expected,
			"%s: %s instead of %s" % [what, str(actual).left(200), str(expected).left(200)])


## Lets frames pass until [param condition] holds; a failure when it does not within [param patience], in seconds.
func until(condition: Callable, what: String, patience := 8.0) -> bool:
	var deadline := Time.get_ticks_msec() + int(patience * 1000)
	while not condition.call():
		if Time.get_ticks_msec() > deadline:
			check(false, "in vain for %.0f s: %s" % [patience, what])
			return false
		await get_tree().process_frame
	checks += 1
	return true


func seconds(duration: float) -> void:
	await get_tree().create_timer(duration).timeout


## Runs a Python program of the tests to its end; its exit code must be 0. Meanwhile [param during] is called, if any.
func python(program: String, program_arguments: PackedStringArray = [], during := Callable()) -> void:
	var path := ProjectSettings.globalize_path("res://tests".path_join(program))
	var pid := OS.create_process(arguments.python, PackedStringArray([path]) + program_arguments)
	check(pid > 0, "python starts")
	if during.is_valid():
		await during.call()
	if await until(func(): return not OS.is_process_running(pid), program + " ends", 30.0):
		equal(OS.get_process_exit_code(pid), 0, "exit code of " + program)


## Starts the server anew, on the usual port.
func started() -> void:
	equal(WebSocketServer.start_server(8765), OK, "the server starts")
	await until(func(): return WebSocketServer.get_server_status().connected_clients == 0, "nobody is connected")


## Sets the pace of the beacons from the next start on, for tests of anything but that pace; without [param interval] it is
## the usual one again.
func set_beacon_interval(interval := 0.0) -> void:
	ProjectSettings.set_setting("halloo/discovery_interval", interval if interval > 0.0 else null)
	if arguments.implementation == "fallback":
		# It has the documented pace and no setting.
		var server: Node = WebSocketServer.instance._server
		server._discovery_timer.wait_time = interval if interval > 0.0 else server.DISCOVERY_INTERVAL


func server_url() -> String:
	return "ws://127.0.0.1:%d" % WebSocketServer.get_server_status().server_port


## A client whose connection is open, also in the eyes of the server.
func connected_client() -> Client:
	var before_it: int = WebSocketServer.get_server_status().connected_clients
	var client := Client.new()
	add_child(client)
	client.open(server_url())
	await until(client.is_open, "a client connects")
	await until(func(): return WebSocketServer.get_server_status().connected_clients > before_it,
			"the server counts the client")
	return client
