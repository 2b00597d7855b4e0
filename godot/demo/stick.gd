extends Control
## A stick for a finger or a mouse. [member direction] is where it points, at most 1 long.

var direction := Vector2.ZERO


func _gui_input(event: InputEvent) -> void:
	# A finger arrives as a mouse too, unless the project says otherwise.
	if event is InputEventMouseButton and event.button_index == MOUSE_BUTTON_LEFT:
		_point_to(event.position if event.pressed else size / 2)
	elif event is InputEventMouseMotion and event.button_mask & MOUSE_BUTTON_MASK_LEFT:
		_point_to(event.position)


func _point_to(place: Vector2) -> void:
	direction = ((place - size / 2) / _radius()).limit_length()
	queue_redraw()


func _draw() -> void:
	draw_circle(size / 2, _radius(), Color(0.16, 0.18, 0.25))
	draw_circle(size / 2 + direction * _radius() * 0.65, _radius() * 0.35, Color(0.17, 0.37, 0.85))


func _radius() -> float:
	return minf(size.x, size.y) / 2
