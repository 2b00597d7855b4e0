extends SceneTree
## Runs the tests of the addon. The exit code is the number of failures, at most 100.
##
## [codeblock lang=text]
## godot --headless --path . --script res://tests/run.gd -- implementation=fallback only=discovery
## [/codeblock]
## [code]implementation[/code] is the expected implementation of the server, [code]only[/code] the prefix of the tests to
## run, [code]python[/code] an interpreter with the package websockets, [code]godot[/code] the executable of the engine.

const SUITES := "res://tests/suites"
## Seconds after which a test has failed.
const TEST_TIMEOUT := 60.0

var _arguments := {"implementation": "fallback", "only": "", "python": "", "godot": ""}
var _passed := 0
var _failed := 0
var _skipped := 0
## The number of tests for the other implementation.
var _not_applicable := 0


func _initialize() -> void:
	for argument in OS.get_cmdline_user_args():
		_arguments[argument.get_slice("=", 0)] = argument.trim_prefix(argument.get_slice("=", 0) + "=")
	await process_frame
	root.get_node("WebSocketServer").client_joined.connect(
			func(id: int): _arguments.first_client = id, CONNECT_ONE_SHOT)
	for file in ResourceLoader.list_directory(SUITES):
		if file.ends_with(".gd"):
			await _run_suite(file.get_basename(), load(SUITES.path_join(file)))
	if _passed + _failed + _skipped + _not_applicable == 0:
		_failed = 1
		print("FAILED no test begins with ", _arguments.only)
	print("addon tests: %d passed, %d failed, %d skipped" % [_passed, _failed, _skipped])
	quit(mini(_failed, 100))


func _run_suite(suite_name: String, script: GDScript) -> void:
	if script == null or not script.can_instantiate():
		_report(suite_name, ["the suite cannot be loaded"])
		return
	for method in script.get_script_method_list():
		var name := "%s.%s" % [suite_name, method.name.trim_prefix("test_")]
		if not method.name.begins_with("test_") or not name.begins_with(_arguments.only):
			continue
		var suite: Node = script.new()
		suite.arguments = _arguments
		if suite.applies_to(_arguments.implementation):
			root.add_child(suite)
			await _run_test(name, suite, method.name)
		else:
			_not_applicable += 1
		suite.free()


func _run_test(name: String, suite: Node, method: String) -> void:
	var progress := {"finished": false}
	_perform(suite, method, progress)
	var deadline := Time.get_ticks_msec() + int(TEST_TIMEOUT * 1000)
	while not progress.finished and Time.get_ticks_msec() < deadline:
		await process_frame
	if not progress.finished:
		suite.failures.append("timeout after %.0f s" % TEST_TIMEOUT)
	elif suite.checks == 0 and suite.skipped.is_empty():
		suite.failures.append("the test has no checks")
	if suite.failures.is_empty() and suite.skipped:
		_skipped += 1
		print("SKIPPED %s: %s" % [name, suite.skipped])
	else:
		_report(name, suite.failures)


func _perform(suite: Node, method: String, progress: Dictionary) -> void:
	await suite.before()
	await suite.call(method)
	await suite.after()
	progress.finished = true


func _report(name: String, failures: Array) -> void:
	if failures.is_empty():
		_passed += 1
		print("ok ", name)
	else:
		_failed += 1
		for failure: String in failures:
			print("FAILED %s: %s" % [name, failure])
