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
	var texts: Array[String] = []
	var on_text := func(_id: int, text: String) -> void: texts.append(text)
	WebSocketServer.instance.message_received.connect(on_text)
	if await until(func(): return party._players.size() == 1, "the remote finds the party and connects", 30.0):
		var player: Node2D = party._players.values()[0]
		var start := player.position.x
		await until(func(): return player.position.x > start, "the player moves to the right")
		party._star.position = player.position
		await until(func(): return player.score > 0, "the player collects the star")
		await until(func(): return "jump" in texts, "the remote jumps")
		WebSocketServer.stop_server()
		await until(func(): return party._players.is_empty(), "the player is removed")
		await start_server()
		await until(func(): return party._players.size() == 1, "the remote reconnects", 20.0)
	if await until(func(): return not OS.is_process_running(pid), "the remote ends", 30.0):
		equal(OS.get_process_exit_code(pid), 0, "exit code of the remote")
	WebSocketServer.instance.message_received.disconnect(on_text)
