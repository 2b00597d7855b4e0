extends Control
## A joystick for touch or mouse. [member direction] is where it points, with a length of at most 1.

var direction := Vector2.ZERO


func _gui_input(event: InputEvent) -> void:
	# Touch input also arrives as mouse events, unless the project settings disable that.
	if event is InputEventMouseButton and event.button_index == MOUSE_BUTTON_LEFT:
		_point_to(event.position if event.pressed else size / 2)
	elif event is InputEventMouseMotion and event.button_mask & MOUSE_BUTTON_MASK_LEFT:
		_point_to(event.position)


func _point_to(point: Vector2) -> void:
	direction = ((point - size / 2) / _radius()).limit_length()
	queue_redraw()


func _draw() -> void:
	draw_circle(size / 2, _radius(), Color(0.16, 0.18, 0.25))
	draw_circle(size / 2 + direction * _radius() * 0.65, _radius() * 0.35, Color(0.17, 0.37, 0.85))


func _radius() -> float:
	return minf(size.x, size.y) / 2
