extends Node2D
## Phones move players and collect stars. Each phone has a player with the name and the colour that its owner chose.

const Player := preload("player.gd")
const Star := preload("star.gd")
const FIELD := Rect2(360, 24, 768, 552)

## The players by pad.
var _players := {}
var _star := Star.new()

@onready var _pads: HallooPads = $HallooPads


func _ready() -> void:
	_pads.pad_joined.connect(_on_pad_joined)
	_pads.pad_left.connect(_on_pad_left)
	$OpenRemote.pressed.connect(get_tree().change_scene_to_file.bind("res://demo/remote.tscn"))
	if not WebSocketServer.get_server_status().server_running:
		WebSocketServer.start_server()
	_show_invitation()
	_show_scores()
	add_child(_star)
	_move_star()


func _draw() -> void:
	draw_rect(FIELD, Color(0.13, 0.15, 0.21))


func _process(_delta: float) -> void:
	for pad: HallooPad in _players:
		var player: Player = _players[pad]
		if _star.is_touched_by(player.position):
			player.score += 1
			pad.vibrate(60)
			pad.show_text("%d ★" % player.score)
			_move_star()
			_show_scores()


func _on_pad_joined(pad: HallooPad) -> void:
	var player := Player.new(pad)
	player.position = FIELD.get_center() + Vector2.from_angle(pad.index * 2.4) * 140
	player.field = FIELD
	_players[pad] = player
	$Players.add_child(player)
	_show_scores()


func _on_pad_left(pad: HallooPad) -> void:
	_players[pad].queue_free()
	_players.erase(pad)
	_show_scores()


## Shows the address to connect to, as text and as a QR code for phones.
func _show_invitation() -> void:
	var status: Dictionary = WebSocketServer.get_server_status()
	if not status.server_running:
		$Invitation/Address.text = "The server is not running; see the output."
	elif not WebSocketServer.instance.is_native:
		$Invitation/Address.text = "This platform has no library of halloo."
	else:
		$Invitation/Address.text = _pads.get_invitation().get_slice("#", 0)
		$Invitation/Code.texture = _pads.get_qr_texture()


func _move_star() -> void:
	var inside := FIELD.grow(-Star.RADIUS)
	_star.position = inside.position + Vector2(randf(), randf()) * inside.size


func _show_scores() -> void:
	var lines := PackedStringArray()
	for pad: HallooPad in _players:
		lines.append("%s   %d ★" % [pad.name, _players[pad].score])
	$Invitation/Scores.text = "\n".join(lines) if lines else "No players yet."
