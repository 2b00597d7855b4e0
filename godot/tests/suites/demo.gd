extends "res://tests/suite.gd"
## The scenes of the demo run.

const Player := preload("res://demo/player.gd")


func test_a_player_stays_on_the_field() -> void:
	var pad := HallooPad.new()
	pad._set_vector("left", Vector2.ONE.normalized())
	var player := Player.new(pad)
	player.field = Rect2(0, 0, 1000, 1000)
	add_child(player)
	player._process(100.0)
	check(player.field.has_point(player.position), "position %s" % player.position)


func test_the_remote_stops_its_own_server() -> void:
	var remote: Node = load("res://demo/remote.tscn").instantiate()
	add_child(remote)
	await seconds(0.2)
	equal(WebSocketServer.get_server_status().server_running, false, "server_running")
	var text: String = remote.get_node("Left/State").text
	var complete := ClassDB.class_exists("HallooBrowser") and ClassDB.class_exists("HallooClient")
	equal(text.contains("missing"), not complete, "it reports a missing library: " + text)
