extends Node2D
## A star to collect.

const RADIUS := 18.0
const REACH := 44.0


func is_touched_by(point: Vector2) -> bool:
	return position.distance_to(point) < REACH


func _process(delta: float) -> void:
	rotation += delta


func _draw() -> void:
	var points := PackedVector2Array()
	for i in 10:
		points.append(Vector2.UP.rotated(TAU * i / 10) * (RADIUS if i % 2 == 0 else RADIUS * 0.45))
	draw_colored_polygon(points, Color(1.0, 0.82, 0.3))
