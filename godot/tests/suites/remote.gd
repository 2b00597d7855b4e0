extends "res://tests/suite.gd"
## The demonstration with two programs: the remote control finds the party and plays there.


func wants(implementation: String) -> bool:
	return implementation == "native"


func test_a_remote_finds_and_drives_the_party() -> void:
	var party: Node = load("res://demo/party.tscn").instantiate()
	add_child(party)
	# The remote is another program, so it finds this one by the network alone.
	var pid := OS.create_process(arguments.godot,
			["--headless", "--path", ProjectSettings.globalize_path("res://"), "--script", "res://tests/remote.gd"])
	check(pid > 0, "it starts")
	if await until(func(): return party._players.size() == 1, "it finds the party and connects", 30.0):
		var player: Node2D = party._players.values()[0]
		party._star.position = player.position + Vector2(60, 0)
		await until(func(): return player.score == 1, "it steers to the star")
		await until(func(): return player._jump_left > 0.0, "it jumps")
		WebSocketServer.stop_server()
		await until(func(): return party._players.is_empty(), "its player leaves")
		await started()
		await until(func(): return party._players.size() == 1, "it comes back", 20.0)
	if await until(func(): return not OS.is_process_running(pid), "it ends", 30.0):
		equal(OS.get_process_exit_code(pid), 0, "exit code of the remote")
