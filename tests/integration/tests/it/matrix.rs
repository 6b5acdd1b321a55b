//! Each leg × each network setting, over real TLS, with the servers on different origins.

use std::{fs, path::Path};

use integration::network::{Cell, Leg, Matrix, Setting};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_setting_holds_on_every_leg_it_is_meant_for_and_on_no_other() {
    let matrix = Box::pin(Matrix::measure()).await;
    println!("{matrix}");
    for leg in Leg::ALL {
        for setting in Setting::ALL {
            let expected = match (leg, setting) {
                (Leg::AuthorizationPage, setting) if setting != Setting::AddressRule => {
                    Cell::Elsewhere
                }
                (leg, Setting::ResourceHeader) => is_at_the_resource(leg).into(),
                _ => Cell::Yes,
            };
            let cell = matrix.cell(leg, setting);
            assert_eq!(cell, Some(expected), "{setting} on {leg}\n{matrix}");
        }
    }
    assert_published(&matrix);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_settings_the_same_measurement_says_no() {
    let matrix = Box::pin(Matrix::measure_unconfigured()).await;
    for leg in Leg::ALL {
        for setting in Setting::ALL {
            let expected = match (leg, setting) {
                (Leg::AuthorizationPage, setting) if setting != Setting::AddressRule => {
                    Cell::Elsewhere
                }
                _ => Cell::No,
            };
            let cell = matrix.cell(leg, setting);
            assert_eq!(cell, Some(expected), "{setting} on {leg}\n{matrix}");
        }
    }
}

#[test]
fn every_leg_of_the_http_client_has_a_row() {
    for tag in doorkey_http::Leg::ALL {
        let has_row = Leg::sent().any(|leg| leg.tag() == Some(tag));
        assert!(has_row, "{tag}: measure it in integration::network");
    }
}

/// The MCP server publishes its metadata on its own origin, so the document is asked for with the headers of that origin.
fn is_at_the_resource(leg: Leg) -> bool {
    matches!(
        leg,
        Leg::McpPost | Leg::McpStream | Leg::McpDelete | Leg::ResourceMetadata
    )
}

fn assert_published(matrix: &Matrix) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/network.md");
    let page = fs::read_to_string(path).expect("docs/network.md");
    let measured = matrix.into_page(&page).expect("a page with markers");
    assert!(
        page == measured,
        "docs/network.md shows another table than was measured. Write it anew: cargo run -p integration --bin network-table\n{matrix}"
    );
}
