extends "res://tests/suite.gd"
## The demo with two programs: the remote control finds the party and plays in it.


func applies_to(implementation: String) -> bool:
	return implementation == "native"


func test_the_remote_finds_the_party_and_plays() -> void:
	var party: Node = load("res://demo/party.tscn").instantiate()
	add_child(party)
	# The remote is a separate program, so it can find this one only over the network.
	var pid := OS.create_process(arguments.godot,
			["--headless", "--path", ProjectSettings.globalize_path("res://"), "--script", "res://tests/remote.gd"])
	check(pid > 0, "the remote starts")
	if await until(func(): return party._players.size() == 1, "the remote finds the party and connects", 30.0):
		var player: Node2D = party._players.values()[0]
		var start := player.position.x
		await until(func(): return player.position.x > start, "the player moves to the right")
		party._star.position = player.position
		await until(func(): return player.score > 0, "the player collects the star")
		await until(func(): return player._jump_left > 0.0, "the remote jumps")
		var pad: HallooPad = party._players.keys()[0]
		# The remote ends once it is connected again.
		var returned: Array[HallooPad] = []
		party._pads.pad_returned.connect(func(back: HallooPad): returned.append(back))
		WebSocketServer.stop_server()
		await until(func(): return not pad.is_connected_now(), "the player is away")
		await start_server()
		await until(func(): return returned == [pad], "the remote is the same player again", 20.0)
		equal(party._players.values(), [player], "the players")
	if await until(func(): return not OS.is_process_running(pid), "the remote ends", 30.0):
		equal(OS.get_process_exit_code(pid), 0, "exit code of the remote")
