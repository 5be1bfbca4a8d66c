/* SPDX-License-Identifier: MIT */
#include <jansson.h>

#include "report.h"

static void add_text(json_t *object, const char *key, const char *text)
{
	json_object_set_new(object, key, json_string(text));
}

static json_t *rounds_json(const struct values *values)
{
	json_t *json = json_array();

	for (unsigned i = 0; i < values->count; i++)
		json_array_append_new(json, json_real(values->rounds[i]));
	return json;
}

static json_t *series_json(const struct series *series)
{
	json_t *json = json_object();
	json_t *points = json_array();

	add_text(json, "engine", series->engine);
	for (unsigned i = 0; i < series->count; i++) {
		const struct point *point = &series->points[i];
		json_t *object = json_object();

		json_object_set_new(object, "x", json_real(point->x));
		json_object_set_new(object, "y", json_real(bench_values_median(&point->values)));
		json_object_set_new(object, "rounds", rounds_json(&point->values));
		json_array_append_new(points, object);
	}
	json_object_set_new(json, "points", points);
	return json;
}

static json_t *curve_json(const struct curve *curve)
{
	json_t *json = json_object();
	json_t *series = json_array();

	add_text(json, "name", curve->name);
	add_text(json, "title", curve->title);
	if (curve->note)
		add_text(json, "note", curve->note);
	if (curve->absent)
		add_text(json, "absent", curve->reason.text);
	add_text(json, "x_label", curve->x_label);
	add_text(json, "y_label", curve->y_label);
	json_object_set_new(json, "x_log", json_boolean(curve->x_log));
	json_object_set_new(json, "y_log", json_boolean(curve->y_log));
	for (unsigned i = 0; i < curve->count; i++)
		json_array_append_new(series, series_json(&curve->series[i]));
	json_object_set_new(json, "series", series);
	return json;
}

static json_t *fact_json(const struct fact *fact)
{
	json_t *json = json_object();
	json_t *peers = json_object();

	add_text(json, "name", fact->name);
	add_text(json, "title", fact->title);
	add_text(json, "unit", fact->unit);
	if (fact->values.count)
		json_object_set_new(json, "value", json_real(bench_values_median(&fact->values)));
	json_object_set_new(json, "rounds", rounds_json(&fact->values));
	if (fact->limited)
		json_object_set_new(json, "limit", json_real(fact->limit));
	for (unsigned i = 0; i < fact->peers; i++)
		json_object_set_new(peers, fact->peer[i].engine,
				    json_real(bench_values_median(&fact->peer[i].values)));
	json_object_set_new(json, "peer_values", peers);
	return json;
}

json_t *bench_curves_json(const struct run *run)
{
	json_t *json = json_array();

	for (unsigned i = 0; i < run->curve_count; i++)
		json_array_append_new(json, curve_json(&run->curves[i]));
	return json;
}

json_t *bench_facts_json(const struct run *run)
{
	json_t *json = json_array();

	for (unsigned i = 0; i < run->fact_count; i++)
		json_array_append_new(json, fact_json(&run->facts[i]));
	return json;
}
