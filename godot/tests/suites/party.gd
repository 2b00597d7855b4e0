extends "res://tests/suite.gd"
## Phones play in the scenes of the demo.

const Player := preload("res://demo/player.gd")


func applies_to(implementation: String) -> bool:
	return implementation == "native"


## Returns a client that has joined as a pad.
func _joined(player: String) -> Client:
	var client: Client = await connected_client()
	client.send(JSON.stringify({"join": {"name": player, "color": "#20c040", "seat": player}}))
	return client


func test_a_phone_plays_at_the_party() -> void:
	var party: Node = load("res://demo/party.tscn").instantiate()
	add_child(party)
	party._pads.seat_timeout = 0.0
	var client := await _joined("Ada")
	await until(func(): return party._players.size() == 1, "the phone has a player")
	check(party.get_node("Invitation/Scores").text.contains("Ada"), "the name is shown")
	var player: Player = party._players.values()[0]
	var start := player.position.x
	client.send('{"left":[1,0]}')
	await until(func(): return player.position.x > start, "the player moves to the right")
	client.send('{"left":[0,0]}')
	party._star.position = player.position
	await until(func(): return player.score > 0, "the player collects the star")
	await until(func(): return client.received.any(func(text): return text.contains("★")), "the phone shows it")
	client.send('{"a":1}')
	client.send('{"a":0}')
	await until(func(): return player._jump_left > 0.0, "a tap is a jump")
	client.close()
	await until(func(): return party._players.is_empty(), "the player is removed when the phone does not return")


## The script of the game does not know halloo.
func test_phones_play_a_game_for_gamepads() -> void:
	var scene: Node = load("res://demo/sumo_phones.tscn").instantiate()
	add_child(scene)
	var wrestlers: Dictionary = scene.get_node("Sumo")._wrestlers
	var one := await _joined("Ada")
	var two := await _joined("Bob")
	for client: Client in [one, two]:
		client.send('{"b":1}')
		client.send('{"b":0}')
	await until(func(): return wrestlers.size() == 2, "both join by a button")
	check(wrestlers.has_all([100, 101]), "the devices are %s" % [wrestlers.keys()])
	one.send('{"left":[1,0]}')
	var devices := {}
	for pad: HallooPad in scene.get_node("HallooPads").get_pads():
		devices[pad.name] = pad.device
	await until(func(): return wrestlers[devices["Ada"]].is_out, "one leaves the ring")
	await until(func(): return wrestlers[devices["Bob"]].wins == 1, "the other wins")
	check(not FileAccess.get_file_as_string("res://demo/sumo.gd").contains("Halloo"), "the game uses Input alone")
