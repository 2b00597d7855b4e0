extends Node
## The base of all suites. A suite is a file in [code]suites/[/code]; each of its methods [code]test_…[/code] is a test,
## which may await. Each test runs in a new instance of its suite, after [method before].

const Client := preload("client.gd")
## Seconds for one step of a test. Only a failing test waits this long.
const STEP_TIMEOUT := 20.0

## The command-line arguments of the form [code]key=value[/code] after [code]--[/code].
var arguments := {}
var failures: Array[String] = []
var skipped := ""
var checks := 0


## Returns whether the suite applies to an implementation, "native" or "fallback".
func applies_to(_implementation: String) -> bool:
	return true


## Runs before each test. By default, starts the server on the default port, without clients.
func before() -> void:
	await start_server()


## Runs after each test, also after a failed one.
func after() -> void:
	pass


func check(condition: bool, what: String) -> void:
	checks += 1
	if not condition:
		failures.append(what)


func equal(actual: Variant, expected: Variant, what: String) -> void:
	check(is_same(typeof(actual), typeof(expected)) and actual == expected,
			"%s: got %s, expected %s" % [what, str(actual).left(200), str(expected).left(200)])


## Waits until [param condition] holds. The test fails if it does not within [param timeout] seconds.
func until(condition: Callable, what: String, timeout := STEP_TIMEOUT) -> bool:
	var deadline := Time.get_ticks_msec() + int(timeout * 1000)
	while not condition.call():
		if Time.get_ticks_msec() > deadline:
			check(false, "timeout after %.0f s: %s" % [timeout, what])
			return false
		await get_tree().process_frame
	checks += 1
	return true


## Blocks the main thread until [param condition] holds, so that no frame ends meanwhile. The test fails if it does not
## within [constant STEP_TIMEOUT].
func block_until(condition: Callable, what: String) -> void:
	var deadline := Time.get_ticks_msec() + int(STEP_TIMEOUT * 1000)
	while not condition.call() and Time.get_ticks_msec() < deadline:
		OS.delay_msec(1)
	check(condition.call(), "timeout after %.0f s: %s" % [STEP_TIMEOUT, what])


func seconds(duration: float) -> void:
	await get_tree().create_timer(duration).timeout


## Records the signals of [param node] in [param emitted], each as its name and its arguments.
func record(node: Node, signals: Array[Dictionary], emitted: Array[Array]) -> Node:
	for info in signals:
		var append := func(values: Array) -> void: emitted.append([info.name] + values)
		match info.args.size():
			1: node.connect(info.name, func(a: Variant) -> void: append.call([a]))
			2: node.connect(info.name, func(a: Variant, b: Variant) -> void: append.call([a, b]))
			3: node.connect(info.name, func(a: Variant, b: Variant, c: Variant) -> void: append.call([a, b, c]))
	return node


## Returns the arguments of all recorded signals with one name.
func arguments_of(emitted: Array[Array], signal_name: String) -> Array:
	return emitted.filter(func(one): return one[0] == signal_name).map(func(one): return one.slice(1))


## Runs a Python program of the tests and expects the exit code 0. Calls [param during] while it runs.
func python(program: String, program_arguments: PackedStringArray = [], during := Callable()) -> void:
	var path := ProjectSettings.globalize_path("res://tests".path_join(program))
	var pid := OS.create_process(arguments.python, PackedStringArray([path]) + program_arguments)
	check(pid > 0, "Python starts")
	if during.is_valid():
		await during.call()
	if await until(func(): return not OS.is_process_running(pid), program + " ends", 30.0):
		equal(OS.get_process_exit_code(pid), 0, "exit code of " + program)


## Starts or restarts the server on the default port and waits until it has no clients.
func start_server() -> void:
	equal(WebSocketServer.start_server(8765), OK, "the server starts")
	await until(func(): return WebSocketServer.get_server_status().connected_clients == 0, "the server has no clients")


## Sets the seconds between two beacons, from the next start on; by default to the documented interval.
func set_beacon_interval(interval := 0.0) -> void:
	ProjectSettings.set_setting("halloo/discovery_interval", interval if interval > 0.0 else null)
	if arguments.implementation == "fallback":
		# The fallback has no setting for it.
		var server: Node = WebSocketServer.instance._server
		server._discovery_timer.wait_time = interval if interval > 0.0 else server.DISCOVERY_INTERVAL


func server_url() -> String:
	return "ws://127.0.0.1:%d" % WebSocketServer.get_server_status().server_port


## Returns a client that is connected and counted by the server.
func connected_client() -> Client:
	var count: int = WebSocketServer.get_server_status().connected_clients
	var client := Client.new()
	add_child(client)
	client.open(server_url())
	await until(client.is_open, "a client connects")
	await until(func(): return WebSocketServer.get_server_status().connected_clients > count,
			"the server counts the client")
	return client
