//! Polygons of GeoJSON (RFC 7946): what lies inside them. Coordinates are those of the traces, whatever system that is.

use std::path::Path;

use serde_json::Value;

use crate::store::files::read_text;

/// Points in order; the last is joined to the first.
type Ring = Vec<[f64; 2]>;

/// Some polygons, each with its holes.
#[derive(Clone, Debug)]
pub(crate) struct Polygons {
    polygons: Vec<Vec<Ring>>,
}

impl Polygons {
    /// # Errors
    /// Why the file cannot be read.
    pub(crate) fn read(path: &Path) -> Result<Self, String> {
        let text = read_text(path).map_err(|e| format!("cannot be read: {e}"))?;
        let value: Value = serde_json::from_str(&text).map_err(|e| format!("is no GeoJSON: {e}"))?;
        let mut polygons = Vec::new();
        collect(&value, &mut polygons)?;
        match polygons.is_empty() {
            true => Err("has no Polygon and no MultiPolygon".into()),
            false => Ok(Self { polygons }),
        }
    }

    /// Whether a point is inside one: a line from it to the right crosses its rings an odd number of times.
    pub(crate) fn contain(&self, x: f64, y: f64) -> bool {
        let crosses =
            |[ax, ay]: [f64; 2], [bx, by]: [f64; 2]| (ay > y) != (by > y) && x < (bx - ax) * (y - ay) / (by - ay) + ax;
        let of_ring = |ring: &Ring| {
            let next = ring.iter().cycle().skip(1);
            ring.iter().zip(next).filter(|(a, b)| crosses(**a, **b)).count()
        };
        self.polygons.iter().any(|rings| rings.iter().map(of_ring).sum::<usize>() % 2 == 1)
    }
}

/// Takes everything that is a polygon.
fn collect(value: &Value, polygons: &mut Vec<Vec<Ring>>) -> Result<(), String> {
    let all = |key: &str| value[key].as_array().map(Vec::as_slice).unwrap_or_default();
    match value["type"].as_str() {
        Some("FeatureCollection") => all("features").iter().try_for_each(|feature| collect(feature, polygons)),
        Some("GeometryCollection") => all("geometries").iter().try_for_each(|geometry| collect(geometry, polygons)),
        Some("Feature") => collect(&value["geometry"], polygons),
        Some("Polygon") => polygon(&value["coordinates"]).map(|rings| polygons.push(rings)),
        Some("MultiPolygon") => {
            all("coordinates").iter().try_for_each(|p| polygon(p).map(|rings| polygons.push(rings)))
        }
        _ => Ok(()),
    }
}

fn polygon(rings: &Value) -> Result<Vec<Ring>, String> {
    rings.as_array().map(Vec::as_slice).unwrap_or_default().iter().map(ring).collect()
}

fn ring(ring: &Value) -> Result<Ring, String> {
    let point = |point: &Value| Some([point.get(0)?.as_f64()?, point.get(1)?.as_f64()?]);
    let points: Option<Ring> = ring.as_array().and_then(|ring| ring.iter().map(point).collect());
    points.filter(|points| points.len() >= 3).ok_or_else(|| "has a ring that is not three points or more".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Polygons, String> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.geojson");
        std::fs::write(&path, text).unwrap();
        Polygons::read(&path)
    }

    #[test]
    fn holes_are_outside_and_all_polygons_count() {
        let square =
            |from: i32, to: i32| format!("[[{from},{from}],[{to},{from}],[{to},{to}],[{from},{to}],[{from},{from}]]");
        let with_hole = format!(r#"{{"type":"Polygon","coordinates":[{},{}]}}"#, square(0, 10), square(4, 6));
        let other = format!(r#"{{"type":"MultiPolygon","coordinates":[[{}]]}}"#, square(20, 21));
        let feature = |geometry: &str| format!(r#"{{"type":"Feature","properties":{{}},"geometry":{geometry}}}"#);
        let both =
            format!(r#"{{"type":"FeatureCollection","features":[{},{}]}}"#, feature(&with_hole), feature(&other));
        let polygons = read(&both).unwrap();
        for (x, y, expected) in
            [(1.0, 1.0, true), (5.0, 5.0, false), (20.5, 20.5, true), (15.0, 5.0, false), (f64::NAN, 5.0, false)]
        {
            assert_eq!(polygons.contain(x, y), expected, "{x}, {y}");
        }
    }

    #[test]
    fn what_is_not_a_polygon_is_reported() {
        for (text, expected) in [
            ("{", "is no GeoJSON"),
            (r#"{"type":"Point","coordinates":[1,2]}"#, "no Polygon"),
            (r#"{"type":"Polygon","coordinates":[[[1,2],[3]]]}"#, "a ring"),
        ] {
            assert!(read(text).is_err_and(|why| why.contains(expected)), "{text}");
        }
    }
}
