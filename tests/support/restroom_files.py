"""The national file of restrooms for tests: its columns, and twelve invented rows."""

NATIONAL = [
    "개방자치단체코드",
    "관리번호",
    "구분명",
    "화장실명",
    "소재지도로명주소",
    "소재지지번주소",
    "남성용-대변기수",
    "남성용-소변기수",
    "남성용-장애인용대변기수",
    "여성용-대변기수",
    "여성용-장애인용대변기수",
    "여성용-어린이용대변기수",
    "관리기관명",
    "개방시간",
    "개방시간상세",
    "WGS84위도",
    "WGS84경도",
    "데이터갱신구분",
]
ROWS = [
    {
        "개방자치단체코드": "3000000",
        "관리번호": f"K{number}",
        "화장실명": f"화장실 {number}",
        "소재지도로명주소": f"서울특별시 종로구 가상로 {number}",
        "남성용-대변기수": "2",
        "남성용-소변기수": "3",
        "여성용-대변기수": "4",
        "여성용-장애인용대변기수": "1",
        "여성용-어린이용대변기수": "1",
        "개방시간": "정시",
        "개방시간상세": "09:00~18:00",
        "WGS84위도": "37.57",
        "WGS84경도": "126.97",
        "관리기관명": "종로구청",
        "데이터갱신구분": "I",
    }
    for number in range(1, 13)
]


def changed(number, **fields):
    """ROWS with one row changed."""
    return [{**row, **fields} if at == number else row for at, row in enumerate(ROWS)]
