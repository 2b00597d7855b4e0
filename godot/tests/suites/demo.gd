extends "res://tests/suite.gd"
## The scenes of the demo run, and clients steer their players.

const Player := preload("res://demo/player.gd")


func _player() -> Player:
	var player := Player.new(1)
	player.field = Rect2(0, 0, 1000, 1000)
	player.position = player.field.get_center()
	add_child(player)
	return player


## Returns how far the player moves in 0.1 s after a message.
func _movement_after(player: Player, text: String) -> Vector2:
	var start := player.position
	player.handle_message(text)
	for i in 5:
		player._process(0.02)
	return player.position - start


func test_words_and_directions_move_a_player() -> void:
	var player := _player()
	var directions := {
		"left": Vector2.LEFT, " Right\n": Vector2.RIGHT, "up": Vector2.UP, "down": Vector2.DOWN,
		"{\"x\": 1, \"y\": 0}": Vector2.RIGHT, "{\"x\": 0.0, \"y\": -0.5}": Vector2.UP, "{\"x\": -9, \"y\": 0}": Vector2.LEFT,
	}
	for text: String in directions:
		check(_movement_after(player, text).normalized().is_equal_approx(directions[text]), text)
	equal(_movement_after(player, "stop"), Vector2.ZERO, "stop")
	player.handle_message("jump")
	check(player._jump_left > 0.0, "jump")
	check(_movement_after(player, "{\"x\": 99, \"y\": 99}").length() < Player.SPEED * 0.11, "the speed is limited")


func test_invalid_messages_do_not_move_a_player() -> void:
	var player := _player()
	for text in ["", "fly", "{", "{}", "[1]", "{\"x\": \"far\"}",
			"{\"x\": null, \"y\": []}", "{\"x\": 1e999, \"y\": 0}", "\u0000"]:
		player.handle_message("stop")
		equal(_movement_after(player, text), Vector2.ZERO, "movement after %s" % text)


func test_a_player_stays_on_the_field() -> void:
	var player := _player()
	player.handle_message("{\"x\": 1, \"y\": 1}")
	player._process(100.0)
	check(player.field.has_point(player.position), "position %s" % player.position)


func test_a_client_plays_at_the_party() -> void:
	var party: Node = load("res://demo/party.tscn").instantiate()
	add_child(party)
	var client := await connected_client()
	await until(func(): return party._players.size() == 1, "the client has a player")
	var player: Player = party._players.values()[0]
	var start := player.position.x
	client.send("{\"x\": 1, \"y\": 0}")
	await until(func(): return player.position.x > start, "the player moves to the right")
	party._star.position = player.position
	await until(func(): return player.score > 0, "the player collects the star")
	await until(func(): return not client.received.is_empty(), "the client is notified")
	check(client.received[0].contains("\"score\":"), "notification: " + client.received[0])
	client.close()
	await until(func(): return party._players.is_empty(), "the player is removed when the client leaves")


func test_the_remote_stops_its_own_server() -> void:
	var remote: Node = load("res://demo/remote.tscn").instantiate()
	add_child(remote)
	await seconds(0.2)
	equal(WebSocketServer.get_server_status().server_running, false, "server_running")
	var text: String = remote.get_node("Left/State").text
	var complete := ClassDB.class_exists("HallooBrowser") and ClassDB.class_exists("HallooClient")
	equal(text.contains("missing"), not complete, "it reports a missing library: " + text)
